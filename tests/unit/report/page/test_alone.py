"""Pictures as files by themselves."""

import re
import subprocess
import sys
from pathlib import Path
from xml.dom.minidom import parseString

import pytest
import yaml

from temper.report.files import CAPTIONS, REPORT_NAMES
from temper.report.page.alone import HEIGHT, trade_offs
from tests.records import record, workload
from tests.unit.report.page.test_report_page import HOSTILE, material

ROOT = Path(__file__).resolve().parents[4]


def drawn(*records, **options):
    return parseString(trade_offs(material(*records, **options)).encode()).documentElement


def sizes(names):
    return {name: workload([1.0] * 3) for name in names}


def test_every_workload_has_a_picture_under_its_name_and_a_legend_stands_below():
    names = ["b1", HOSTILE]
    own = drawn(record("base", workloads=sizes(names)), record("other", workloads=sizes(names)))
    texts = [text.firstChild.data for text in own.getElementsByTagName("text") if text.firstChild]
    assert sorted(name for name in texts if name in names) == sorted(names)
    assert float(own.getAttribute("height")) > 2 * HEIGHT
    assert own.getElementsByTagName("a") == own.getElementsByTagName("script") == []
    assert "chosen" in texts


def test_a_workload_without_marks_has_a_sentence():
    own = drawn(record("base", workloads=sizes(["b1"])))
    assert "b1: no candidate has both a latency and an accuracy" in own.toxml()
    assert float(own.getAttribute("height")) < 100


def test_dvc_shows_it_without_a_network(tmp_path):
    (tmp_path / "artifacts/report").mkdir(parents=True)
    names = ["b1"]
    shown = trade_offs(material(record("base", workloads=sizes(names)), record("other", workloads=sizes(names))))
    (tmp_path / "artifacts/report/trade_off.svg").write_text(shown, encoding="utf-8")
    plots = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"plots": plots}), encoding="utf-8")
    for command in (["init", "--no-scm", "--quiet"], ["plots", "show"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=tmp_path, check=True, capture_output=True)
    page = (tmp_path / "dvc_plots/index.html").read_text(encoding="utf-8")
    assert re.findall(r"https?:", page) == []
    (picture,) = re.findall(r'src="([^"]+[.]svg)"', page)
    assert (tmp_path / "dvc_plots" / picture).read_text(encoding="utf-8") == shown


@pytest.mark.parametrize("name", CAPTIONS)
def test_every_caption_belongs_to_a_file_of_the_report_and_is_there(name):
    caption, category = CAPTIONS[name]
    assert name in REPORT_NAMES
    assert (ROOT / "workflow/report" / caption).read_text(encoding="utf-8").strip()
    assert category in ("The choice", "The evidence")
