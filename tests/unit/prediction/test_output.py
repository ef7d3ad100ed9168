import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from temper.artifacts.manifest import artifact_digest
from temper.errors import ConfigError
from temper.prediction.answer import Answers
from temper.prediction.choice import Choice
from temper.prediction.output import (
    Predicted,
    as_json,
    as_lines,
    check_output,
    facts,
    for_a_spreadsheet,
    for_a_terminal,
    print_table,
    write_labels,
)
from tests.unit.prediction.conftest import candidate

FILES = {"model.onnx": "a" * 64, "tokenizer.json": "b" * 64}


@pytest.fixture
def found():
    """Two rows and three labels; the second row was cut."""
    answers = Answers(
        probabilities=np.array([[0.7, 0.2, 0.1], [0.25, 0.15, 0.6]]),
        labels=["bad, really", "good"],
        confidences=np.array([0.7, 0.6]),
        label_names=("bad, really", "so", "good"),
        cut_rows=[1],
        notes=["longer than 8 tokens"],
        load_s=0.25,
        answer_s=1.5,
        ran={"library": "onnxruntime", "version": "1.2", "device": "cpu"},
    )
    choice = Choice("one", candidate("one", 1.0), "b1", "the decision's choice for b1", "91.00 %", "10 FP32")
    return Predicted("made-up", choice, FILES, ["[red] first", "second"], answers)


def test_facts_name_the_artifact_and_what_was_measured_of_it(found):
    assert facts(found) == [
        f"artifact:  artifacts/onnx/fp32, digest {artifact_digest(FILES)} (checked)",
        "candidate: one: the decision's choice for b1",
        "backend:   one-backend: onnxruntime 1.2 on cpu",
        "precision: 10 FP32",
        "accuracy:  91.00 %",
        "note:      longer than 8 tokens",
        "time:      2 rows in 1.500 s, after 0.25 s of loading",
    ]


def test_json_has_everything(found):
    content = json.loads(as_json(found))
    assert content["artifact"] == {
        "path": "artifacts/onnx/fp32",
        "digest": artifact_digest(FILES),
        "files_sha256": FILES,
    }
    assert (content["candidate"], content["workload"], content["load_s"], content["answer_s"]) == (
        "one",
        "b1",
        0.25,
        1.5,
    )
    first, second = content["rows"]
    assert first == {
        "row": 1,
        "input": "[red] first",
        "label": "bad, really",
        "confidence": 0.7,
        "confidences": {"bad, really": 0.7, "so": 0.2, "good": 0.1},
        "cut": False,
    }
    assert (second["row"], second["label"], second["cut"]) == (2, "good", True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.tsv", "row\tlabel\tconfidence\n1\tbad, really\t0.7000\n2\tgood\t0.6000\n"),
        ("labels.csv", 'row,label,confidence\n1,"bad, really",0.7000\n2,good,0.6000\n'),
    ],
)
def test_a_file_of_labels_is_written_as_its_ending_says(found, tmp_path, name, text):
    check_output(tmp_path / name, [])
    write_labels(found, tmp_path / name)
    assert (tmp_path / name).read_text() == text


def test_json_lines_have_every_confidence(found):
    rows = [json.loads(line) for line in as_lines(found, None).splitlines()]
    assert [row["confidences"]["so"] for row in rows] == [0.2, 0.15]


def test_the_table_shows_inputs_as_they_are(found, capsys):
    print_table(found)
    shown = capsys.readouterr().out
    assert "[red] first" in shown
    assert "bad, really" in shown
    assert "so 0.2000, good" in shown


@pytest.mark.parametrize(
    ("name", "happened"),
    [
        ("labels.txt", "ending is .txt"),
        ("labels", "missing"),
        ("no/labels.tsv", "no folder"),
        ("rows.tsv", "predicted"),
    ],
)
def test_a_path_that_labels_cannot_go_to_is_refused(tmp_path, name, happened):
    (tmp_path / "rows.tsv").write_text("text\nx\n")
    with pytest.raises(ConfigError, match=happened):
        check_output(tmp_path / name, [Path(tmp_path / "." / "rows.tsv")])


def test_a_file_that_is_there_is_written_over_only_when_asked_for(tmp_path):
    (tmp_path / "labels.tsv").write_text("mine")
    with pytest.raises(ConfigError, match="it is there already") as caught:
        check_output(tmp_path / "labels.tsv", [])
    assert "--force" in caught.value.fix
    check_output(tmp_path / "labels.tsv", [], force=True)
    with pytest.raises(ConfigError, match="predicted"):
        check_output(tmp_path / "labels.tsv", [tmp_path / "labels.tsv"], force=True)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "labels.tsv").mkdir()
    with pytest.raises(ConfigError, match="it is a folder"):
        check_output(tmp_path / "labels.tsv", [])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a \x1b]0;title\x07 b", "a \\u001b]0;title\\u0007 b"),
        ("\x1b[2J", "\\u001b[2J"),
        ("one\rtwo\nthree", "one\\u000dtwo\\u000athree"),
        ("abc\u202edef", "abc\\u202edef"),
        ("schön, 好, 🙂", "schön, 好, 🙂"),
    ],
)
def test_a_text_gives_a_terminal_no_orders(text, shown):
    assert for_a_terminal(text) == shown


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("-1", "-1"),
        ("+2.5%", "+2.5%"),
        ("good", "good"),
    ],
)
def test_a_label_is_no_formula_in_a_spreadsheet(label, written):
    assert for_a_spreadsheet(label) == written


def test_a_files_answers_say_which_row_is_which(found):
    found = replace(found, columns={"id": [7, 8], "label": ["a\ttab", "two"]})
    assert as_lines(found, "\t") == (
        'row\tlabel\tconfidence\tid\tinput_label\n1\tbad, really\t0.7000\t7\t"a\ttab"\n2\tgood\t0.6000\t8\ttwo\n'
    )
    assert [json.loads(line)["input_label"] for line in as_lines(found, None).splitlines()] == ["a\ttab", "two"]
