"""A study of embeddings, through the real commands: a folder of sentence-transformers, its drift in INT8, verdict by STS."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from temper.cli import main
from temper.data.examples import Examples
from temper.data.preprocessing import train_tokenizer
from temper.study.sections.model import TokenizerOptions
from tests.workflow.conftest import StudyFolder

WORDS = ["river", "stone", "lamp", "wheat", "copper", "violin", "harbour", "silk", "amber", "cedar", "falcon", "ginger"]

TRAINED = {
    "method": "fine_tune",
    "device": "cpu",
    "precision": "float32",
    "threads": 1,
    "epochs": 1,
    "batch_size": 32,
    "learning_rate": 1.0e-3,
    "weight_decay": 0.01,
    "warmup_share": 0.1,
    "early_stopping_patience": None,
}


def pairs(count: int, seed: int) -> list[tuple[str, str, float]]:
    """Texts of four words that share none to four of them: that many is how alike they are."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        words = generator.permutation(WORDS).tolist()
        shared = int(generator.integers(0, 5))
        found.append((" ".join(words[:4]), " ".join([*words[:shared], *words[4 : 8 - shared]]), float(shared)))
    return found


def save_embedder(folder) -> None:
    """A body of random weights with the files of sentence-transformers: mean of the tokens, normalised."""
    import torch
    from transformers import BertConfig, BertModel

    texts = [(text,) for pair in pairs(60, 9) for text in pair[:2]]
    options = TokenizerOptions(kind="tokenizer", algorithm="bpe", vocabulary_size=320)
    tokenizer = train_tokenizer(options, Examples("rows", [0] * len(texts), texts=texts), 64)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes, pad_token_id=0)
    BertModel(config).save_pretrained(folder)
    kinds = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (kind, path) in enumerate(kinds.items())
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))


def embeddings(study: StudyFolder, **changes: object) -> None:
    (study / "data/raw").mkdir(parents=True)
    save_embedder(study / "data/raw/model")
    for name, content in (("train", pairs(80, 1)), ("test", pairs(90, 2))):
        lines = "".join(f"{one}\t{other}\t{score}\n" for one, other, score in content)
        (study / f"data/raw/{name}.tsv").write_text(f"one\tother\talike\n{lines}")
    study.set(
        data={
            "source": "files",
            "labels": "embedding",
            "format": "tsv",
            "quoting": False,
            "train": {"path": "data/raw/train.tsv", "columns": None},
            "validation": None,
            "test": {"path": "data/raw/test.tsv", "columns": None},
            "text": ["one", "other"],
            "label": "alike",
            "label_names": ["similarity"],
            "validation_rows": 30,
            "calibration_rows": 16,
            "max_tokens": 32,
        },
        model={"task": "text-classification", "source": "checkpoint", "checkpoint": "data/raw/model", "revision": None},
        train={"method": "none"},
        analysis__accuracy_budget_points=5.0,
        analysis__latency_margin=0.99,
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


def answers_of(study: StudyFolder, candidate: str) -> tuple[np.ndarray, np.ndarray]:
    record = json.loads((study / f"artifacts/measurements/{candidate}.json").read_text())["accuracy"]
    answers = record["by_batch_size"]["8"]
    return np.asarray(answers["predictions"]), np.asarray(answers["logits"])


@pytest.mark.long
def test_a_study_of_embeddings_runs_is_judged_by_sts_and_answers(fresh, tmp_path, monkeypatch, capsys):
    import torch
    from transformers import AutoModel, AutoTokenizer

    embeddings(fresh)
    fresh.snakemake()
    test = pq.read_table(fresh / "data/prepared/test.parquet")
    assert test.column("group").to_pylist() == [row // 2 for row in range(180)]

    # what the cards of sentence-transformers' models say in plain PyTorch: mean over the mask, then normalised
    folder = fresh / "data/raw/model"
    network, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    cosines, vectors = answers_of(fresh, "torch-fp32")
    assert vectors.shape == (180, 32)
    with torch.inference_mode():
        given = tokenizer(test.column("text").to_pylist(), padding=True, return_tensors="pt")
        hidden, mask = network(**given).last_hidden_state, given["attention_mask"].unsqueeze(-1).float()
        theirs = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9), dim=1).numpy()
    assert np.abs(vectors - theirs).max() < 1e-5
    assert cosines[::2] == pytest.approx((theirs[::2] * theirs[1::2]).sum(axis=1), abs=1e-5)

    compared = json.loads((fresh / "artifacts/report/comparison.json").read_text())
    truth = [score for _, _, score in pairs(90, 2)]
    assert compared["model"]["spearman"] == pytest.approx(
        stats.spearmanr(answers_of(fresh, "ort-fp32")[0][::2], truth).statistic
    )
    assert compared["model"]["spearman"] > 0.5
    own = compared["candidates"]["ort-int8"]["accuracy"]
    assert own["metric"] == "spearman"
    assert own["against_baseline"]["verdict"] in ("within", "beyond", "undecided")
    one, other = answers_of(fresh, "ort-int8")[1], answers_of(fresh, "ort-fp32")[1]
    turned = 1 - (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert own["against_baseline"]["beside"]["cosine drift, mean"] == pytest.approx(turned.mean(), rel=1e-6)
    assert 0 < turned.mean() < 0.2
    assert "Spearman %" in (fresh / "artifacts/report/summary.md").read_text()
    assert "cosine drift" in (fresh / "artifacts/report/report.html").read_text()

    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    (tmp_path / "ask.jsonl").write_text(
        "".join(json.dumps({"one": a, "other": b}) + "\n" for a, b, _ in pairs(90, 2)[:3])
    )
    assert main(["predict", "--directory", str(fresh.folder), "--candidate", "ort-int8", "--json", "ask.jsonl"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    expected = answers_of(fresh, "ort-int8")[0][:6:2]
    assert [row["confidences"]["similarity"] for row in rows] == pytest.approx(expected.tolist(), abs=1e-3)
    arguments = ["package", "--directory", str(fresh.folder), "--candidate", "ort-int8", "--anyway", "--to", "made"]
    assert main(arguments) != 0
    assert "its answers are an embedding" in capsys.readouterr().err
    assert "Nothing to be done" in fresh.snakemake("--dry-run", "--quiet", "host")


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "words"),
    [({"data__text": ["one"]}, "data.text names one column"), ({"train": TRAINED}, "for which nothing trains here")],
)
def test_what_makes_no_embeddings_is_refused_and_leaves_nothing(fresh, changes, words):
    embeddings(fresh, **changes)
    assert words in fresh.refused("data/prepared/data_card.json")
    assert not (fresh / "data/prepared").exists()
