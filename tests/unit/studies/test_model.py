"""How many tokens a new study's model takes, found by asking it; and what large weights need."""

import json

import pytest

from temper.artifacts.onnx_file import PROTOBUF_LIMIT_BYTES
from temper.studies.model import Lengths, rounded
from temper.studies.sections import Wanted, sections
from tests import tiny_classifier
from tests.unit.studies.conftest import params, refused


@pytest.fixture
def long_texts(tmp_path):
    """Rows of one, of ten and of many tokens."""
    texts = ["a", "a film of ten words", "a dull film " * 40]
    lines = [f"{texts[n % 3]} {n}\t{'positive' if n % 2 else 'negative'}\n" for n in range(60)]
    file = tmp_path / "long.tsv"
    file.write_text("review\tmark\n" + "".join(lines))
    return file


@pytest.mark.parametrize(
    ("model_type", "config", "takes"),
    [("roberta", {"pad_token_id": 0}, 63), ("mpnet", {}, 62), ("bert", {}, 64)],
)
def test_no_more_tokens_are_offered_than_the_model_answers(
    new, checkout, tmp_path, long_texts, model_type, config, takes
):
    folder = tiny_classifier.save_classifier(tmp_path / "model", model_type=model_type, **config)
    for name in ("tokenizer_config.json",):  # as of a tokenizer that states no length
        content = json.loads((folder / name).read_text())
        content.pop("model_max_length", None)
        (folder / name).write_text(json.dumps(content))
    made = new(name="mine", model=folder, data=long_texts)
    assert params(checkout)["data"]["max_tokens"] == takes
    assert f"20 texts are longer than the {takes} that the model takes; max_tokens {takes}" in "\n".join(made.lines)


def test_a_token_without_an_embedding_is_named_before_a_study_is_made(new, checkout, tmp_path, long_texts):
    folder = tiny_classifier.save_classifier(tmp_path / "model", vocab_size=300)
    error = refused(checkout, new, name="mine", model=folder, data=long_texts)
    assert "and the model has an embedding for 300, from 0 on" in error.happened
    assert "resize_token_embeddings" in error.fix


def test_lengths_bound_what_may_be_asked():
    assert Lengths(longest=20, takes=512, most=18, cut=0).most_asked == 48
    assert Lengths(longest=500, takes=512, most=18, cut=0).most_asked == 512
    assert (rounded(9, 64), rounded(64, 62)) == (16, 62)


@pytest.mark.parametrize(("size", "large"), [(PROTOBUF_LIMIT_BYTES, True), (PROTOBUF_LIMIT_BYTES - 1, False)])
def test_weights_above_two_gigabytes_stand_beside_the_graph_and_are_not_calibrated_by_nncf(size, large):
    data = {
        "source": "files",
        "format": "tsv",
        "quoting": False,
        "train": {"path": "train.tsv", "columns": None},
        "validation": None,
        "test": {"path": "test.tsv", "columns": None},
        "text": ["text"],
        "label": "label",
        "label_names": ["no", "yes"],
        "validation_rows": 10,
        "calibration_rows": 10,
        "max_tokens": 32,
    }
    wanted = Wanted(
        name="mine",
        task="text-classification",
        data=data,
        checkpoint="data/raw/checkpoint",
        attends=True,
        sequence_length=16,
        fine_tune=False,
        engine_version=None,
        threads=2,
        weight_bytes=size,
    )
    made = sections(wanted)
    assert made.get("onnx_external_data", False) is large
    methods = {row.get("method") for row in made.get("calibrations", {}).values()}
    assert methods == ({"percentile"} if large else set())
