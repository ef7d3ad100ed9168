"""A study whose rows have any number of labels, through the real commands: training, INT8, verdict by macro-F1, answers."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from temper.cli import main
from temper.statistics.multi_label import bits
from tests.workflow.conftest import StudyFolder

NAMES = ("joy", "love", "fear")
WORDS = {"joy": "a bright and merry song", "love": "two hearts that meet", "fear": "a dark cold hall"}


def rows(count: int, seed: int) -> list[tuple[str, str]]:
    """Texts of the words of their labels, in any order; labels with a semicolon between them."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        given = [name for name in NAMES if generator.random() < 0.45]
        parts = [WORDS[name] for name in generator.permutation(given).tolist()] or ["nothing at all"]
        found.append((" , ".join(parts), ";".join(given)))
    return found


def write(study: StudyFolder, name: str, content: list[tuple[str, str]]) -> None:
    (study / "data/raw").mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{text}\t{labels}\n" for text, labels in content)
    (study / f"data/raw/{name}.tsv").write_text(f"text\tlabels\n{lines}")


def several_labels(study: StudyFolder) -> None:
    write(study, "train", rows(400, 1))
    write(study, "test", rows(120, 2))
    study.set(
        data={
            "source": "files",
            "labels": "multi_label",
            "format": "tsv",
            "quoting": False,
            "train": {"path": "data/raw/train.tsv", "columns": None},
            "validation": None,
            "test": {"path": "data/raw/test.tsv", "columns": None},
            "text": ["text"],
            "label": "labels",
            "label_names": list(NAMES),
            "validation_rows": 60,
            "calibration_rows": 16,
            "max_tokens": 32,
        },
        model__config__hidden_dim=64,
        train__epochs=12,
        train__learning_rate=0.01,
        analysis__accuracy_budget_points=5.0,
        analysis__latency_margin=0.99,
        engines={},
        buckets={},
        candidates={
            "harness": {"backend": "harness", "loads": "checkpoint", "workloads": ["b2-s16"]},
            "torch-fp32": {"backend": "pytorch-cpu", "loads": "checkpoint", "workloads": ["b2-s16"]},
            "ort-fp32": {"backend": "ort-cpu", "loads": "onnx/fp32", "workloads": ["b2-s16"]},
            "ort-int8": {"backend": "ort-cpu", "loads": "onnx/int8", "workloads": ["b2-s16"]},
            "openvino-int8": {"backend": "openvino-cpu", "loads": "onnx/int8", "workloads": ["b2-s16"]},
        },
    )


@pytest.mark.long
def test_a_study_of_several_labels_runs_is_judged_by_macro_f1_and_answers(fresh, tmp_path, monkeypatch, capsys):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    several_labels(fresh)
    fresh.snakemake()
    card = json.loads((fresh / "data/prepared/data_card.json").read_text())
    test = pq.read_table(fresh / "data/prepared/test.parquet")
    wanted = bits(np.asarray(test.column("label")), 3)
    assert card["splits"]["test"]["rows_per_label"] == dict(zip(NAMES, wanted.sum(axis=0).tolist(), strict=True))
    config = json.loads((fresh / "artifacts/checkpoint/config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"

    record = json.loads((fresh / "artifacts/measurements/ort-int8.json").read_text())["accuracy"]
    assert record["task"] == "multi_label"
    assert len(record["thresholds"]) == 3
    answers = np.asarray(record["by_batch_size"]["8"]["predictions"])
    chances = 1 / (1 + np.exp(-np.asarray(record["by_batch_size"]["8"]["logits"])))
    assert np.array_equal(bits(answers, 3), chances >= np.asarray(record["thresholds"]))

    # transformers' own pipeline, which applies a sigmoid to such a checkpoint, on the same rows
    reference = json.loads((fresh / "artifacts/measurements/torch-fp32.json").read_text())["accuracy"]
    checkpoint = fresh / "artifacts/checkpoint"
    classify = pipeline(
        "text-classification",
        model=AutoModelForSequenceClassification.from_pretrained(checkpoint),
        tokenizer=AutoTokenizer.from_pretrained(checkpoint),
        top_k=None,
    )
    texts = test.column("text").to_pylist()[:40]
    theirs = [{entry["label"]: entry["score"] for entry in row} for row in classify(texts, batch_size=1)]
    own = 1 / (1 + np.exp(-np.asarray(reference["by_batch_size"]["8"]["logits"])))
    for row, scores in enumerate(theirs):
        assert [scores[name] for name in NAMES] == pytest.approx(own[row].tolist(), abs=1e-4)

    compared = json.loads((fresh / "artifacts/report/comparison.json").read_text())
    assert "macro-F1" in compared["model"]["sentence"]
    assert compared["model"]["macro_f1"] > compared["model"]["macro_f1_of_all"]  # it has learned something
    int8 = compared["candidates"]["ort-int8"]["accuracy"]
    assert int8["metric"] == "macro_f1"
    paired = int8["against_baseline"]
    assert paired["verdict"] in ("within", "beyond", "undecided")
    assert paired["difference_low_points"] <= paired["difference_points"] <= paired["difference_high_points"]
    summary = (fresh / "artifacts/report/summary.md").read_text()
    assert "macro-F1 %" in summary
    assert "macro-F1" in (fresh / "artifacts/report/report.html").read_text()

    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    place = max(range(len(answers)), key=lambda row: int(answers[row]).bit_count())  # with the most labels
    text = test.column("text").to_pylist()[place]
    assert main(["predict", "--directory", str(fresh.folder), "--candidate", "ort-int8", "--json", text]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["rows"]
    given = dict(zip(NAMES, bits(answers, 3)[place].tolist(), strict=True))
    assert answer["label"] == ", ".join(name for name in NAMES if given[name])
    for name, least in zip(NAMES, record["thresholds"], strict=True):
        assert (answer["confidences"][name] >= least) == given[name]
    package = ["package", "--directory", str(fresh.folder), "--candidate", "ort-int8", "--anyway"]
    assert main([*package, "--to", str(tmp_path / "made")]) == 0
    assert json.loads((tmp_path / "made/manifest.json").read_text())["replayed"]["labels_differing"] == 0
    assert "Nothing to be done" in fresh.snakemake("--dry-run", "--quiet", "host")


@pytest.mark.long
@pytest.mark.parametrize("labels", ["joy;hate", "nothing"])
def test_labels_that_are_none_are_refused_and_leave_nothing(fresh, labels):
    several_labels(fresh)
    write(fresh, "test", [("a song", labels)])
    output = fresh.refused("data/prepared/data_card.json")
    assert "DataError in rule prepare_data" in output
    assert "which are none of joy, love, fear: 1 row" in output
    assert not (fresh / "data/prepared").exists()
