"""A study that tags words, through the real commands: names in sentences, entity flips of INT8, verdict by entity F1."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from temper.cli import main
from tests.workflow.conftest import StudyFolder

TAGS = ["O", "B-PER", "I-PER", "B-LOC"]
NAMES, SURNAMES = ["Anna", "Bo", "Carla", "Dev", "Ewa", "Femi"], ["Lind", "Okoro", "Rao", "Silva"]
TOWNS = ["Lagos", "Oslo", "Quito", "Turin", "Varna"]


def rows(count: int, seed: int) -> list[tuple[list[str], list[str]]]:
    """Sentences with persons of one or two names, and towns."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        words, tags = [], []
        for part in generator.choice(["person", "town", "met in", "and then", "left"], size=4).tolist():
            if part == "person":
                words += [str(generator.choice(NAMES)), str(generator.choice(SURNAMES))][
                    : int(generator.integers(1, 3))
                ]
                tags += ["B-PER", "I-PER"][: len(words) - len(tags)]
            elif part == "town":
                words.append(str(generator.choice(TOWNS)))
                tags.append("B-LOC")
            else:
                words += part.split()
                tags += ["O"] * len(part.split())
        found.append((words, tags))
    return found


def tagged_words(study: StudyFolder, **changes: object) -> None:
    (study / "data/raw").mkdir(parents=True)
    for name, content in (("train", rows(400, 1)), ("test", rows(120, 2))):
        lines = "".join(json.dumps({"tokens": words, "ner_tags": tags}) + "\n" for words, tags in content)
        (study / f"data/raw/{name}.jsonl").write_text(lines)
    study.set(
        data={
            "source": "files",
            "labels": "token_classification",
            "format": "jsonl",
            "quoting": None,
            "train": {"path": "data/raw/train.jsonl", "columns": None},
            "validation": None,
            "test": {"path": "data/raw/test.jsonl", "columns": None},
            "text": ["tokens"],
            "label": "ner_tags",
            "label_names": TAGS,
            "validation_rows": 60,
            "calibration_rows": 16,
            "max_tokens": 32,
        },
        model__config={"dim": 32, "hidden_dim": 64, "n_layers": 1, "n_heads": 2, "max_position_embeddings": 32},
        train__epochs=4,
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
    study.set(**changes)


@pytest.mark.long
def test_a_study_of_tagged_words_runs_is_judged_by_entity_f1_and_answers(fresh, tmp_path, monkeypatch, capsys):
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    tagged_words(fresh)
    fresh.snakemake()
    test = rows(120, 2)
    config = json.loads((fresh / "artifacts/checkpoint/config.json").read_text())
    assert config["architectures"] == ["DistilBertForTokenClassification"]

    record = json.loads((fresh / "artifacts/measurements/torch-fp32.json").read_text())["accuracy"]
    assert record["task"] == "token_classification"
    assert [TAGS[label] for label in record["labels"]] == [tag for _, tags in test for tag in tags]
    assert record["groups"] == [row for row, (words, _) in enumerate(test) for _ in words]
    answers = record["by_batch_size"]["8"]["predictions"]

    # transformers' own pipeline on the same texts: the first token of each word answers it
    checkpoint = fresh / "artifacts/checkpoint"
    classify = pipeline(
        "token-classification",
        model=AutoModelForTokenClassification.from_pretrained(checkpoint),
        tokenizer=AutoTokenizer.from_pretrained(checkpoint),
        ignore_labels=[],
        aggregation_strategy="none",
    )
    prepared = pq.read_table(fresh / "data/prepared/test.parquet").to_pylist()[:40]
    assert [row["text"] for row in prepared] == [" ".join(words) for words, _ in test[:40]]
    theirs = []
    for row in prepared:
        by_token = {found["index"]: found["entity"] for found in classify(row["text"])}
        theirs += [TAGS.index(by_token[place]) for place, label in enumerate(row["label"]) if label != -100]
    assert theirs == answers[: len(theirs)]

    compared = json.loads((fresh / "artifacts/report/comparison.json").read_text())
    assert compared["model"]["entity_f1"] > 0.5  # it has learned something
    own = compared["candidates"]["ort-int8"]["accuracy"]
    assert own["metric"] == "entity_f1"
    paired = own["against_baseline"]
    assert paired["verdict"] in ("within", "beyond", "undecided")
    assert paired["beside"]["entity flips"] >= 0
    summary = (fresh / "artifacts/report/summary.md").read_text()
    assert "entity F1 %" in summary
    assert "entity F1" in (fresh / "artifacts/report/report.html").read_text()

    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    int8 = json.loads((fresh / "artifacts/measurements/ort-int8.json").read_text())["accuracy"]["by_batch_size"]["8"]
    row = next(row for row, (_, tags) in enumerate(test) if "B-PER" in tags)
    tags = [TAGS[tag] for tag, group in zip(int8["predictions"], record["groups"], strict=True) if group == row]
    text = " ".join(test[row][0])
    assert main(["predict", "--directory", str(fresh.folder), "--candidate", "ort-int8", "--json", text]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["rows"]
    expected = [word for word, tag in zip(test[row][0], tags, strict=True) if tag != "O"]
    assert [word for part in answer["label"].split("; ") for word in part.partition(": ")[2].split()] == expected
    arguments = ["package", "--directory", str(fresh.folder), "--candidate", "ort-int8", "--anyway", "--to", "made"]
    assert main(arguments) != 0
    assert "its answers are a tag for each word" in capsys.readouterr().err
    assert "Nothing to be done" in fresh.snakemake("--dry-run", "--quiet", "host")


@pytest.mark.long
def test_words_without_tags_are_refused_and_leave_nothing(fresh):
    tagged_words(fresh)
    (fresh / "data/raw/test.jsonl").write_text(json.dumps({"tokens": ["Anna", "left"], "ner_tags": ["B-PER"]}) + "\n")
    assert "row 1 has 2 words and 1 tags" in fresh.refused("data/prepared/data_card.json")
    assert not (fresh / "data/prepared").exists()
