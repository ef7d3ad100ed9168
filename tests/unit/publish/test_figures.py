"""Plots in the documentation come from committed records."""

import builtins
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from temper.errors import ArtifactError, LibraryError
from temper.publish.figures import layers_svg
from temper.publish.pages import figures
from tests.unit.publish.committed import ROOT, drawn

STUDY = ROOT / "results/cpu-2c/sst2-minilm"
SEARCH = ROOT / "results/cpu-2c/sst2-minilm-full/searches/main"
SHOWN = [
    (page, *figure)
    for page in ("README.md", "docs/quantising.md", "docs/calibration-study.md")
    for figure in figures((ROOT / page).read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("page", "what", "folder", "file"), SHOWN)
def test_a_pages_plots_are_those_of_the_committed_records(page, what, folder, file):
    text = (ROOT / page).parent.joinpath(file).read_text(encoding="utf-8")
    assert drawn(what, ROOT / folder) == text, f"run `temper figures {page}`"


@pytest.mark.long  # forty pictures; the same code draws those above
@pytest.mark.parametrize("page", sorted(ROOT.glob("studies/*/README.md")), ids=lambda page: page.parent.name)
def test_a_studys_picture_is_that_of_the_committed_records(page):
    for what, folder, file in figures(page.read_text(encoding="utf-8")):
        assert drawn(what, ROOT / folder) == (page.parent / file).read_text(encoding="utf-8"), (
            f"run `temper figures {page}`"
        )


def test_these_pages_show_plots():
    assert {(page, what) for page, what, *_ in SHOWN} == {
        ("README.md", "trade-off for b1-s128"),
        ("README.md", "trade-off for b1-s128, dark"),
        ("docs/quantising.md", "trade-off for b12-s64"),
        ("docs/quantising.md", "trade-off for b12-s64, dark"),
        ("docs/quantising.md", "layers"),
        ("docs/calibration-study.md", "calibrations"),
    }


def test_another_process_draws_the_same_bytes():
    code = "import sys, pathlib; from temper.publish.figures import layers_svg as d; print(d(pathlib.Path(sys.argv[1])), end='')"
    done = subprocess.run([sys.executable, "-c", code, str(SEARCH)], check=True, capture_output=True, text=True)
    assert done.stdout == layers_svg(SEARCH)


def test_the_plot_of_layers_names_each_and_holds_no_date():
    text = layers_svg(SEARCH)
    assert len(re.findall(r">(?:bert|node|classifier)[^<]*</text>", text)) == 50
    assert "node_MatMul_129 (float)" in text
    assert "<dc:date>" not in text


def test_a_trade_off_by_itself_is_whole_xml_with_the_colours_of_its_side():
    light, dark = (drawn(f"trade-off for b1-s128{side}", STUDY) for side in ("", ", dark"))
    texts = [each.text for each in ElementTree.fromstring(light).iter("{http://www.w3.org/2000/svg}text")]
    assert {"torch-fp32", "openvino-fp32", "INT8", "chosen", "budget: −0.5 points"} <= set(texts)
    assert "href" not in light
    assert re.sub(r"<style>.*?</style>", "", light, flags=re.DOTALL) == re.sub(
        r"<style>.*?</style>", "", dark, flags=re.DOTALL
    )
    assert light != dark


def test_a_workload_without_figures_cannot_be_drawn():
    with pytest.raises(ArtifactError) as caught:
        drawn("trade-off for b7", STUDY)
    assert "b1-s128" in caught.value.happened


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **others):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **others)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LibraryError) as caught:
        layers_svg(SEARCH)
    assert caught.value.happened == "matplotlib is not installed"
    assert "requirements/test.txt" in caught.value.fix
