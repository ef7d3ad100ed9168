"""A study whose rows have a score, through the real commands: a cross-encoder that ranks, its drift in INT8, verdict by ranks."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from temper.cli import main
from tests.workflow.conftest import StudyFolder

WORDS = ["river", "stone", "lamp", "wheat", "copper", "violin", "harbour", "silk", "amber", "cedar", "falcon", "ginger"]


def rows(queries: int, seed: int) -> list[tuple[str, str, float, str]]:
    """Queries of three words with six answers each, which share none to three of them: that many is the score."""
    generator = np.random.default_rng(seed)
    found = []
    for query in range(queries):
        words = generator.permutation(WORDS).tolist()
        asked, others = words[:3], words[3:]
        for _ in range(6):
            shared = int(generator.integers(0, 4))
            answer = [*asked[:shared], *others[: 3 - shared]]
            found.append((" ".join(asked), " ".join(answer), float(shared), f"q{query}"))
    return found


def a_score(study: StudyFolder, **changes: object) -> None:
    (study / "data/raw").mkdir(parents=True)
    for name, content in (("train", rows(140, 1)), ("test", rows(30, 2))):
        lines = "".join(f"{asked}\t{answer}\t{score}\t{query}\n" for asked, answer, score, query in content)
        (study / f"data/raw/{name}.tsv").write_text(f"query\tanswer\tgrade\tgroup\n{lines}")
    study.set(
        data={
            "source": "files",
            "labels": "score",
            "format": "tsv",
            "quoting": False,
            "train": {"path": "data/raw/train.tsv", "columns": None},
            "validation": None,
            "test": {"path": "data/raw/test.tsv", "columns": None},
            "text": ["query", "answer"],
            "label": "grade",
            "label_names": ["relevance"],
            "group": "group",
            "validation_rows": 80,
            "calibration_rows": 16,
            "max_tokens": 32,
        },
        model__config={"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 32},
        train__epochs=8,
        train__learning_rate=0.003,
        analysis__accuracy_budget_points=5.0,
        analysis__latency_margin=0.99,
        analysis__metric="ndcg_at_10",
        engines={},
        buckets={},
        candidates={
            "harness": {"backend": "harness", "loads": "checkpoint", "workloads": ["b2-s16"]},
            "torch-fp32": {"backend": "pytorch-cpu", "loads": "checkpoint", "workloads": ["b2-s16"]},
            "ort-fp32": {"backend": "ort-cpu", "loads": "onnx/fp32", "workloads": ["b2-s16"]},
            "ort-int8": {"backend": "ort-cpu", "loads": "onnx/int8", "workloads": ["b2-s16"]},
        },
    )
    study.set(**changes)


@pytest.mark.long
def test_a_study_of_scores_runs_is_judged_by_ranks_and_answers(fresh, tmp_path, monkeypatch, capsys):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    a_score(fresh)
    fresh.snakemake()
    test = pq.read_table(fresh / "data/prepared/test.parquet")
    assert test.column("group").to_pylist() == [row // 6 for row in range(180)]
    config = json.loads((fresh / "artifacts/checkpoint/config.json").read_text())
    assert config["problem_type"] == "regression"

    record = json.loads((fresh / "artifacts/measurements/torch-fp32.json").read_text())["accuracy"]
    answers, truth = record["by_batch_size"]["8"]["predictions"], record["labels"]
    assert record["task"] == "score"
    assert record["groups"] == [row // 6 for row in range(180)]
    assert record["by_batch_size"]["8"]["accuracy"] == pytest.approx(stats.spearmanr(answers, truth).statistic)

    # transformers' own pipeline, which gives the output of such a checkpoint as it is, on the same rows
    checkpoint = fresh / "artifacts/checkpoint"
    score = pipeline(
        "text-classification",
        model=AutoModelForSequenceClassification.from_pretrained(checkpoint),
        tokenizer=AutoTokenizer.from_pretrained(checkpoint),
    )
    pairs = [text.split("\t") for text in test.column("text").to_pylist()[:30]]
    theirs = [score({"text": asked, "text_pair": answer})["score"] for asked, answer in pairs]
    assert theirs == pytest.approx(answers[:30], abs=1e-4)

    compared = json.loads((fresh / "artifacts/report/comparison.json").read_text())
    assert compared["model"]["spearman"] > 0.3  # it has learned something
    assert compared["model"]["warnings"] == []
    own = compared["candidates"]["ort-int8"]["accuracy"]
    assert own["metric"] == "ndcg_at_10"
    assert 0.5 < own["metric_value"] <= 1
    paired = own["against_baseline"]
    assert paired["verdict"] in ("within", "beyond", "undecided")
    assert paired["mean_logit_difference"] > 0  # the drift
    moved = np.abs(np.asarray(record["by_batch_size"]["8"]["predictions"]) - own_answers(fresh, "ort-int8"))
    assert paired["labels_differing"] == pytest.approx((moved > 0.1 * np.std(answers)).sum(), abs=1)
    summary = (fresh / "artifacts/report/summary.md").read_text()
    assert "NDCG@10 %" in summary
    assert "NDCG@10" in (fresh / "artifacts/report/report.html").read_text()

    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    (tmp_path / "ask.jsonl").write_text("".join(json.dumps({"query": q, "answer": a}) + "\n" for q, a in pairs[:3]))
    assert main(["predict", "--directory", str(fresh.folder), "--candidate", "ort-int8", "--json", "ask.jsonl"]) == 0
    found = json.loads(capsys.readouterr().out)["rows"]
    expected = own_answers(fresh, "ort-int8")[:3]
    assert [row["confidences"]["relevance"] for row in found] == pytest.approx(expected, abs=1e-3)
    assert found[0]["confidence"] is None
    package = ["package", "--directory", str(fresh.folder), "--candidate", "ort-int8", "--anyway"]
    assert main([*package, "--to", str(tmp_path / "made")]) == 0
    assert json.loads((tmp_path / "made/manifest.json").read_text())["replayed"]["rows"] == 180
    assert "Nothing to be done" in fresh.snakemake("--dry-run", "--quiet", "host")


def own_answers(study: StudyFolder, candidate: str) -> np.ndarray:
    record = json.loads((study / f"artifacts/measurements/{candidate}.json").read_text())
    return np.asarray(record["accuracy"]["by_batch_size"]["8"]["predictions"])


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data__label": "answer"}, "instead of a number"),
        ({"data__label_names": ["low", "high"]}, "a score is one output, and there are 2 names"),
        ({"data__group": None}, "which is a mean over queries, and data.group is not given"),
        ({"analysis__metric": "macro_f1"}, "which is none of score: spearman, ndcg_at_10"),
    ],
)
def test_what_is_no_score_is_refused_and_leaves_nothing(fresh, changes, words):
    a_score(fresh, **changes)
    assert words in fresh.refused("data/prepared/data_card.json")
    assert not (fresh / "data/prepared").exists()
