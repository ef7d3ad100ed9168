"""The page as text: what a browser shows of it is in test_in_browser.py."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from temper.artifacts.signature import Signature, TensorSpec
from temper.data.encoded import write_split, write_split_manifest
from temper.data.examples import Examples
from temper.errors import ArtifactError
from temper.measurement.record import write_record
from temper.report.decide.decision import decide
from temper.report.notes import Kind
from temper.report.page.asked_rows import png, read_asked_rows
from temper.report.page.flips import LONGEST, MOST, flips
from temper.report.page.making import KINDS
from temper.report.page.material import AskedRows, Material
from temper.report.page.names import anchor
from temper.report.page.render import report_page
from temper.report.page.table import table
from temper.report.page.templates import TEMPLATES, templates_digest
from temper.report.render import write_summary
from tests.records import ANALYSIS, compared, record, workload

pytestmark = pytest.mark.usefixtures("made_up_figures")

HOSTILE = "</script><img src=x onerror=alert(1)>"
TRUE_LABELS = [0, 1, 1, 0]


def material(*records, rows=None, **analysis):
    against = compared(records, records[0].candidate, **analysis)
    return Material("tiny", records, against, decide(records, against), rows)


class Outline(HTMLParser):
    """Elements that a hostile text could have made, and where a page could ask for something."""

    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.asks = [], [], []

    def handle_starttag(self, tag, attrs):
        own = dict(attrs)
        self.tags.append(tag)
        self.ids += [own["id"]] if "id" in own else []
        self.asks += [
            value for name, value in attrs if name in ("src", "srcset", "data", "action", "poster", "background")
        ]
        self.asks += [own["href"]] if "href" in own and not own["href"].startswith("#") else []
        assert not any(name.startswith("on") for name in own), attrs


def outline(page):
    found = Outline()
    found.feed(page)
    return found


BASE, FAST = record("base"), record("fast", workloads={"b1": workload([1.0] * 3, ratio=(0.5, 0.48, 0.52))})


def test_equal_records_give_equal_bytes_and_nothing_is_asked_for():
    page = report_page(material(BASE, FAST))
    assert page == report_page(material(BASE, FAST))
    assert "://" not in page
    assert outline(page).asks == []
    assert "default-src 'none'" in page.replace("&#39;", "'")


def test_whatever_comes_from_data_stays_text():
    hostile = record(
        HOSTILE,
        predictions=[0, 0, 1, 0],
        loads=f"onnx/{HOSTILE}",
        backend=HOSTILE,
        workloads={HOSTILE: workload([1.0] * 3)},
    )
    reasons = record("lost", reason=HOSTILE)
    clean = outline(
        report_page(
            material(record("base", workloads={"b1": workload([1.0] * 3)}), record("own", predictions=[0, 0, 1, 0]))
        )
    )
    base = record("base", workloads={HOSTILE: workload([1.0] * 3)})
    page = report_page(material(base, hostile, reasons, rows=AskedRows(texts=[HOSTILE] * 4)))
    found = outline(page)
    assert found.tags.count("script") == clean.tags.count("script") == 2
    assert "img" not in found.tags
    assert len(found.ids) == len(set(found.ids))
    data = re.search(r'id="flip-data">(.*?)</script>', page, re.DOTALL)
    assert json.loads(data[1])["rows"]["1"]["text"] == HOSTILE


def test_different_names_have_different_anchors():
    names = ["a b", "a-b", "a.b", "a_b", "a/b", "a.20.b", "ü"]
    anchors = [anchor("candidate", name) for name in names]
    assert len(set(anchors)) == len(names)
    assert all(re.fullmatch(r"candidate-[A-Za-z0-9.-]+", each) for each in anchors)


def test_the_table_shows_the_records_figures_the_fastest_first():
    found = table(material(BASE, FAST, record("lost", reason="no NVIDIA GPU")), "b1")
    assert [line.candidate for line in found.lines] == ["fast", "base", "lost"]
    assert [column.heading for column in found.columns if column.shown] == [
        "candidate",
        "ran in",
        "× base",
        "p50, ms",
        "accuracy, points",
        "verdict",
    ]
    cells = found.lines[0].cells
    assert (cells["speed"].text, cells["speed"].small, cells["speed"].value) == ("2.00", "[1.92, 2.08]", 2.0)
    assert cells["latency"].value == 1.0
    lost = found.lines[2].cells
    assert {key: (lost[key].text, lost[key].said) for key in ("speed", "latency", "points")} == dict.fromkeys(
        ("speed", "latency", "points"), ("–", "no NVIDIA GPU")
    )
    assert found.lines[2].cells["verdict"].text == "not measured"


def test_where_nothing_can_be_chosen_the_page_says_why():
    lost = [record("base", reason="no NVIDIA GPU"), record("other", reason="no NVIDIA GPU")]
    page = report_page(material(*lost))
    assert "Nothing can be chosen" in page
    assert "no choice: no candidate was measured" in page
    assert "No candidate has both a latency and an accuracy here." in page


def test_flips_hold_both_answers_with_text_or_picture():
    wrong = record("wrong", predictions=[1, 1, 1, 0])
    found = flips(material(BASE, wrong, rows=AskedRows(texts=["a" * (LONGEST + 9), "b"])))
    assert found["rows"] == {"0": {"label": "negative", "text": "a" * LONGEST + "…"}}
    assert found["candidates"]["wrong"]["flips"] == [[0, "negative", 0.7311, "positive", 0.7311, "lost"]]
    assert (found["candidates"]["wrong"]["count"], found["candidates"]["wrong"]["lost"]) == (1, 1)
    assert flips(material(BASE, wrong))["rows"] == {"0": {"label": "negative"}}
    pictured = flips(material(BASE, wrong, rows=AskedRows(pictures={0: b"png"})))
    assert pictured["rows"]["0"]["picture"] == "cG5n"


def test_of_very_many_flips_the_surest_are_shown_and_the_rest_is_counted():
    labels = [0] * (MOST + 5)
    base = record("base", predictions=labels, labels=labels)
    wrong = record("wrong", predictions=[1] * len(labels), labels=labels)
    own = flips(material(base, wrong))["candidates"]["wrong"]
    assert (len(own["flips"]), own["left_out"], own["count"]) == (MOST, 5, MOST + 5)


def test_a_picture_is_a_small_png():
    made = png(np.linspace(-2, 2, 3 * 224 * 200, dtype=np.float32).reshape(3, 224, 200))
    assert made[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(made[at : at + 4]) for at in (16, 20))
    assert (width, height) == (50, 56)
    assert png(np.zeros((1, 8, 8), dtype=np.float32))[16:24] == bytes([0, 0, 0, 8, 0, 0, 0, 8])


@pytest.mark.parametrize("task", ["text-classification", "image-classification"])
def test_the_rows_that_were_asked_come_from_the_prepared_test_split(tmp_path, task):
    text = task == "text-classification"
    spec = TensorSpec(
        name="input_ids" if text else "pixel_values",
        dtype="int64" if text else "float32",
        axes=("batch_size", "sequence_length") if text else ("batch_size", 3, 8, 8),
        pad_value=0,
    )
    signature = Signature(task=task, inputs=(spec,), label_names=("a", "b"), padding_side="right")
    rows = [np.arange(3 * 8 * 8, dtype=spec.dtype) * (at + 1) for at in range(70)]
    inputs = [row[: 3 + at % 5] for at, row in enumerate(rows)] if text else [row.reshape(3, 8, 8) for row in rows]
    texts = [[f"row {at}"] for at in range(70)] if text else None
    write_split(tmp_path / "test.parquet", Examples("here", [0] * 70, texts=texts), {spec.name: inputs}, signature)
    (tmp_path / "signature.json").write_text(signature.as_json())
    write_split_manifest(tmp_path, "test", max_tokens=8 if text else None)
    found = read_asked_rows(tmp_path, [66, 3])
    if text:
        assert found.texts[66] == "row 66"
    else:
        assert found.pictures == {row: png(inputs[row]) for row in (3, 66)}
    (tmp_path / "test.parquet").write_bytes(b"altered")
    with pytest.raises(ArtifactError):
        read_asked_rows(tmp_path, [3])


def test_the_reports_rule_writes_the_page(tmp_path):
    for each in (BASE, FAST):
        write_record(tmp_path / f"{each.candidate}.json", each)
    write_summary(
        study="tiny",
        baseline="base",
        analysis=ANALYSIS,
        engines={},
        records=[str(tmp_path / "base.json"), str(tmp_path / "fast.json")],
        remeasurements=None,
        jobs=[],
        folder=str(tmp_path / "report"),
    )
    page = (tmp_path / "report/report.html").read_text()
    assert page == report_page(material(BASE, FAST))
    assert "stand beside the report" in page  # load tests and the like: not looked for


def test_a_template_counts_for_the_rule(tmp_path, monkeypatch):
    from temper.report.page import templates

    before = templates_digest()
    for file in TEMPLATES.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(templates, "TEMPLATES", Path(tmp_path))
    assert templates_digest() == before
    (tmp_path / "page.css").write_text("body { color: red }")
    assert templates_digest() != before


ROOT = Path(__file__).resolve().parents[4]
FILED = sorted(path.parent.relative_to(ROOT / "results").as_posix() for path in ROOT.glob("results/*/*/records.json"))
EVERY_CHANGE = ("cpu-2c-epyc/embedded", "cpu-2c/sst2-minilm", "cpu-2c/digits-resnet")


@pytest.mark.parametrize(
    "study", [study if study in EVERY_CHANGE else pytest.param(study, marks=pytest.mark.long) for study in FILED]
)
def test_a_filed_studys_page_is_below_three_megabytes(study):
    from temper.report.page.sources import filed_material

    page = report_page(filed_material(ROOT / "results" / study))
    assert len(page.encode()) < 3e6
    assert "://" not in page


def test_every_kind_of_note_has_a_title():
    assert KINDS.keys() == set(Kind)


def test_a_card_says_nothing_twice():
    against = compared([BASE, FAST], "base")
    decision = decide([BASE, FAST], against)
    said = (
        "b1: fast, 2.00 × [1.92, 2.08] as fast as base, accuracy 75.00 % of a budget of 60. Disturbed and left out: slow. "
        "Warning: the model answers one label"
    )
    decision = replace(decision, workloads={"b1": replace(decision.workloads["b1"], sentence=said)})
    against = replace(against, model={**against.model, "warnings": ["the model answers one label: 'a'"]})
    page = report_page(Material("tiny", [BASE, FAST], against, decision))
    card = page.partition('<article class="card"')[2].partition("</article>")[0]
    assert '<p class="sentence">Disturbed and left out: slow.</p>' in card
    assert page.count("the model answers one label") == 1


def test_workloads_stand_by_their_sizes():
    names = ("b16", "b2", "b128")
    own = record("base", workloads={name: workload([1.0] * 3) for name in names})
    assert material(own).workloads == ["b2", "b16", "b128"]
