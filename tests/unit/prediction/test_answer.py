"""Rows through a runner with limits of its own; a real tokenizer. tests/workflow/test_predict.py has real artifacts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temper.artifacts.manifest import sha256, write_manifest
from temper.backends.runner import Runner
from temper.data.examples import Examples
from temper.data.preprocessing import TextPreprocessor, train_tokenizer
from temper.errors import ArtifactError, BackendError, ConfigError, DataError
from temper.prediction import answer as module
from temper.prediction.answer import Prepared, answer, check_artifact, prepared
from temper.prediction.choice import Choice
from temper.reading.typed import typed_study
from temper.study.sections.model import TokenizerOptions
from temper.tasks.single_label import probabilities
from tests.unit.prediction.conftest import candidate

NAMES = ("negative", "positive")
TEXTS = ["one", "one two", "one two three four five six"]
LONGEST = 8


class Limited(Runner):
    """Answers with each row's number of tokens, which it takes as a runner with these limits would."""

    def __init__(self, batch: tuple[int, int], length: tuple[int, int], shapes: Any = None) -> None:
        self.batch, self.length, self.calls, self.failure = batch, length, [], None
        if shapes is not None:
            self.fits = lambda sizes: (sizes["batch_size"], sizes["sequence_length"]) in shapes

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def limits(self):
        return {"batch_size": self.batch, "sequence_length": self.length}

    def describe(self):
        return {"library": "limited", "version": "1"}

    def infer(self, inputs):
        if self.failure is not None:
            raise self.failure
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        assert self.batch[0] <= len(ids) <= self.batch[1]
        assert self.length[0] <= ids.shape[1] <= self.length[1]
        self.calls.append(ids.shape)
        tokens = mask.sum(axis=1).astype(np.float32)
        return np.stack([np.zeros_like(tokens), tokens], axis=1)


@pytest.fixture(scope="module")
def how():
    examples = Examples(origin="here", labels=[0] * len(TEXTS), texts=[(text,) for text in TEXTS])
    tokenizer = train_tokenizer(
        TokenizerOptions(kind="tokenizer", algorithm="bpe", vocabulary_size=400), examples, None
    )
    preprocessor = TextPreprocessor(tokenizer, None)
    return Prepared(preprocessor.signature(NAMES), preprocessor, LONGEST)


@pytest.fixture
def ask(how, monkeypatch):
    """Answers TEXTS, or others, with a runner of these limits."""

    def asked(runner, texts=TEXTS, *, batch_size=None, strict=False):
        monkeypatch.setattr(module, "open_artifact", lambda *arguments: runner)
        choice = Choice("one", candidate("one", 1.0), "b1", "named", "not measured", "not measured")
        examples = Examples(origin="here", labels=[0] * len(texts), texts=[(text,) for text in texts])
        return answer(choice, {}, how, examples, batch_size=batch_size, strict=strict)

    return asked


def tokens(found):
    """Of each row, from the probability that Limited gives."""
    return np.log(found.probabilities[:, 1] / found.probabilities[:, 0]).round().astype(int).tolist()


def test_rows_are_answered_in_order_in_calls_of_the_measured_size(ask):
    runner = Limited((1, 64), (1, 64))
    found = ask(runner, TEXTS * 3)
    assert tokens(found) == [3, 4, 8] * 3
    assert [rows for rows, _ in runner.calls] == [4, 4, 1]
    assert (found.cut_rows, found.notes, found.label_names) == ([], [], NAMES)
    assert found.answer_s > 0


def test_a_text_beyond_max_tokens_is_cut_and_named(ask):
    texts = ["one", "one" + 5 * " one", "one" + 6 * " one"]  # two special tokens beside the words: 8 are what fits
    found = ask(Limited((1, 64), (1, 64)), texts)
    assert (tokens(found), found.cut_rows) == ([3, 8, 8], [2])
    assert found.notes == [
        "longer than the study's 8 tokens, and cut: 1 row (counted from 1, without a header: 3)",
    ]


def test_strictly_a_text_beyond_max_tokens_is_refused(ask):
    runner = Limited((1, 64), (1, 64))
    with pytest.raises(DataError, match="longer than the study's 8 tokens: 1 row"):
        ask(runner, ["one" + 6 * " one"], strict=True)
    assert runner.calls == []
    assert tokens(ask(runner, ["one" + 5 * " one"], strict=True)) == [8]


def test_a_text_beyond_what_the_artifact_takes_is_cut_and_named_or_refused(ask):
    runner = Limited((1, 64), (1, 4))
    found = ask(runner)
    assert (tokens(found), found.cut_rows) == ([3, 4, 4], [2])
    assert "longer than the 4 tokens that the artifact takes" in found.notes[0]
    with pytest.raises(DataError, match="batch_size 1 to 64, sequence_length 1 to 4"):
        ask(runner, strict=True)


def test_a_batch_beyond_the_profile_is_cut_into_calls_that_fit(ask):
    runner = Limited((2, 2), (4, 64))
    found = ask(runner, batch_size=3)
    assert [rows for rows, _ in runner.calls] == [2, 2]
    assert tokens(found) == [3, 4, 8]
    assert found.notes == [
        "calls of 3 rows were cut into calls that fit: onnx/fp32 takes batch_size 2 to 2, sequence_length 4 to 64"
    ]


def test_strictly_a_batch_beyond_the_profile_is_refused_with_the_profile(ask):
    runner = Limited((1, 2), (1, 64))
    with pytest.raises(ConfigError) as caught:
        ask(runner, batch_size=256, strict=True)
    assert caught.value.asked == "predict 3 rows of up to 8 tokens in a call with one"
    assert caught.value.happened == "onnx/fp32 takes batch_size 1 to 2, sequence_length 1 to 64"
    assert runner.calls == []


def test_of_static_shapes_the_batch_has_to_go_with_the_length(ask):
    runner = Limited((1, 3), (1, 8), shapes={(3, 4), (2, 4), (1, 4), (1, 8)})
    with pytest.raises(ConfigError, match="takes batch_size 1 to 3"):
        ask(runner, batch_size=3, strict=True)


def test_fewer_rows_than_the_least_batch_are_filled_up_and_nothing_is_said(ask):
    runner = Limited((4, 8), (1, 64), shapes={(4, 4), (4, 8)})
    found = ask(runner, batch_size=2)
    assert (tokens(found), found.notes) == ([3, 4, 8], [])
    assert [rows for rows, _ in runner.calls] == [4, 4]


def test_what_is_not_a_number_is_no_answer(ask, monkeypatch):
    runner = Limited((1, 64), (1, 64))
    monkeypatch.setattr(runner, "infer", lambda inputs: np.full((3, 2), np.nan, np.float32))
    with pytest.raises(BackendError, match=r"3 rows .* are not numbers"):
        ask(runner)


def test_memory_that_runs_out_is_said_with_a_way_out(ask):
    runner = Limited((1, 64), (1, 64))
    runner.failure = RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
    with pytest.raises(BackendError, match="out of memory") as caught:
        ask(runner)
    assert "--batch-size" in caught.value.fix


def test_an_error_of_another_kind_is_not_hidden(ask):
    runner = Limited((1, 64), (1, 64))
    runner.failure = RuntimeError("something else")
    with pytest.raises(RuntimeError, match="something else"):
        ask(runner)


def test_softmax_is_exact_where_single_precision_is_not():
    found = probabilities(np.array([[0.0, 1000.0], [20.0, 0.0], [1.0, 1.0]], np.float32))
    assert found.dtype == np.float64
    assert np.allclose(found, [[0, 1], [1 / (1 + np.exp(-20)), 1 / (1 + np.exp(20))], [0.5, 0.5]], rtol=1e-12, atol=0)
    assert found[1, 0] < 1


@pytest.fixture
def artifact(tmp_path, monkeypatch):
    """An ONNX file's folder, and a choice whose record was taken of it."""
    monkeypatch.chdir(tmp_path)
    folder = Path("artifacts/onnx/fp32")
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"weights")
    write_manifest(folder / "onnx.json", kind="onnx", facts={})
    made = candidate("one", 1.0)
    own = made.artifact.model_copy(update={"files_sha256": {"model.onnx": sha256(folder / "model.onnx")}})
    return Choice("one", made.model_copy(update={"artifact": own}), "b1", "named", "not measured", "not measured")


def test_the_artifact_is_the_one_that_was_measured(artifact):
    assert check_artifact(artifact) == artifact.record.artifact.files_sha256


def test_an_altered_artifact_is_refused(artifact):
    Path("artifacts/onnx/fp32/model.onnx").write_bytes(b"Weights")
    with pytest.raises(ArtifactError, match="truncated or altered"):
        check_artifact(artifact)


@pytest.mark.parametrize("name", ["model.onnx", "onnx.json"])
def test_an_artifact_that_is_not_there_is_said_to_be_made_by_a_run(artifact, name):
    Path("artifacts/onnx/fp32", name).unlink()
    with typed_study("studies/mine"), pytest.raises(ArtifactError) as caught:
        check_artifact(artifact)
    assert caught.value.happened == f"artifacts/onnx/fp32/{name} is not there"
    assert caught.value.fix == "temper run -C studies/mine: makes it anew"


def test_an_artifact_that_was_made_anew_is_refused(artifact):
    Path("artifacts/onnx/fp32/model.onnx").write_bytes(b"other weights")
    write_manifest("artifacts/onnx/fp32/onnx.json", kind="onnx", facts={})
    with pytest.raises(ArtifactError, match=r"made anew since: model\.onnx"):
        check_artifact(artifact)


@pytest.fixture
def data(how, tmp_path, monkeypatch):
    """Prepared data with the preprocessing of `how`."""
    monkeypatch.chdir(tmp_path)
    folder = Path("data/prepared")
    folder.mkdir(parents=True)
    how.preprocessor.save(folder / "preprocessor")
    (folder / "signature.json").write_text(how.signature.as_json())
    write_manifest(folder / "data_card.json", kind="data", facts={"max_tokens": LONGEST})
    return folder


def test_the_preprocessing_is_the_studys(data, how):
    found = prepared({"tokenizer.json": sha256(data / "preprocessor/tokenizer.json")})
    assert (found.signature, found.max_tokens) == (how.signature, LONGEST)
    examples = Examples(origin="here", labels=[0], texts=[("one two",)])
    same = [each.preprocessor.encode(examples, LONGEST).inputs["input_ids"][0].tolist() for each in (found, how)]
    assert same[0] == same[1]


def test_an_artifact_with_another_tokenizer_is_refused(data):
    with pytest.raises(ArtifactError, match=r"tokenizer.json of the artifact and of data/prepared differ"):
        prepared({"tokenizer.json": "0" * 64})


def test_altered_preprocessing_is_refused(data):
    settings = json.loads((data / "preprocessor/tokenizer_config.json").read_text())
    (data / "preprocessor/tokenizer_config.json").write_text(json.dumps({**settings, "padding_side": "left"}))
    with pytest.raises(ArtifactError, match=r"tokenizer_config.json .* truncated or altered"):
        prepared({})
