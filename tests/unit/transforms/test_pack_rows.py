"""Several sentences in a row: the answers of each stay what they are alone, on the tiny study's DistilBERT."""

import numpy as np
import onnx
import onnxruntime
import pytest

from temper.artifacts.onnx_file import load
from temper.artifacts.signature import Signature
from temper.backends.opening import open_artifact
from temper.data.encoded import read_split
from temper.errors import ArtifactError
from temper.lengths.packing import pack
from temper.measurement.accuracy import predict
from temper.transforms.convert import convert_precision
from temper.transforms.graph.probe import Answers, attribute, observed_shapes
from temper.transforms.pack_rows import Options, convert, signature_after
from tests.tiny_study import MAX_TOKENS, TEST_ROWS
from tests.unit.backends.test_runner import CPU
from tests.unit.quantization.calibration.small_models import between_products

ROW = 2 * MAX_TOKENS


@pytest.fixture(scope="module")
def packed(tiny_study):
    return convert(load(tiny_study.fp32), None, Options(row_tokens=ROW))


def logits(model, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(inputs))[0]


def as_packed(model, inputs):
    return pack(inputs, ROW, {value.name: "int32" for value in model.graph.input})


def test_the_answers_are_those_of_the_padded_model(tiny_study, packed):
    onnx.checker.check_model(packed)
    inputs = tiny_study.inputs(list(range(TEST_ROWS)))
    rows = as_packed(packed, inputs)
    assert len(rows["input_ids"]) < TEST_ROWS  # sentences do share rows
    assert np.abs(logits(packed, rows) - logits(load(tiny_study.fp32), inputs)).max() < 1e-5


def test_a_neighbour_in_the_row_is_not_seen(tiny_study, packed):
    two, other = (as_packed(packed, tiny_study.inputs([0, row])) for row in (1, 2))
    assert two["input_ids"].shape == other["input_ids"].shape == (1, ROW)  # one row, another second sentence
    assert np.abs(logits(packed, two)[0] - logits(packed, other)[0]).max() < 1e-6
    torn = {**two, "segment_ids": np.minimum(two["segment_ids"], 1)}  # no borders: now they do see each other
    assert np.abs(logits(packed, torn)[0] - logits(packed, two)[0]).max() > 1e-3


def test_behind_the_last_attention_only_first_tokens_are_computed(tiny_study, packed):
    shapes = observed_shapes(load(tiny_study.fp32))
    gathers = [node for node in packed.graph.node if node.op_type == "Gather" and node.input[1] == "first_tokens"]
    assert len(gathers) == 2  # what attention answers, and the hidden states that are added to it
    last_products = [node for node in packed.graph.node if node.op_type == "MatMul"][-3:]
    assert all(len(shapes[node.output[0]]) == 3 for node in last_products)
    assert attribute(gathers[0], "axis") == 0


def test_an_artifact_on_packed_rows_answers_padded_batches(tiny_study, tmp_path):
    convert_precision(
        onnx_folder=str(tiny_study.fp32),
        calibration_folder=None,
        search_folder=None,
        folder=str(tmp_path / "packed"),
        step="pack_rows",
        options={"row_tokens": ROW},
        external_data=False,
    )
    written = Signature.model_validate_json((tmp_path / "packed/signature.json").read_text())
    assert (written.row_tokens, written.dynamic_axes) == (ROW, ("batch_size", "rows"))
    split = read_split(tiny_study.data / "test.parquet", tiny_study.signature)
    answers = []
    for folder in (tiny_study.fp32, tmp_path / "packed"):
        with open_artifact("onnxruntime", str(folder), CPU["onnxruntime"][1], "installed") as runner:
            answers.append(predict(runner, split, tiny_study.signature, batch_size=8).logits)
            described, limits = runner.describe(), runner.limits()
    assert np.abs(answers[0] - answers[1]).max() < 1e-5
    assert (described["packed_row_tokens"], limits) == (ROW, {"sequence_length": (1, ROW)})


def test_what_cannot_be_packed_is_refused(tiny_study):
    with pytest.raises(ArtifactError, match="0 nodes pick one fixed token"):
        convert(between_products("Relu"), None, Options(row_tokens=ROW))
    left = tiny_study.signature.model_copy(update={"padding_side": "left"})
    with pytest.raises(ArtifactError, match="padded on the left"):
        signature_after(left, Options(row_tokens=ROW))


def test_a_mask_that_is_read_in_another_way_is_refused(tiny_study):
    model = load(tiny_study.fp32)
    where = next(node for node in model.graph.node if node.op_type == "Where" and "IsNaN" not in node.input[0])
    where.input[1], where.input[2] = where.input[2], where.input[1]  # hides what it showed
    Answers.of(model)  # it runs
    with pytest.raises(ArtifactError, match="in a way that is not known"):
        convert(model, None, Options(row_tokens=ROW))


def exported_with_counted_positions(model_type, pad):
    """A classifier whose positions are counted over what does not pad, from behind the pad's own number; and padded rows."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

    from temper.artifacts.signature import TensorSpec
    from temper.export.to_onnx import exported

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CONFIG_MAPPING[model_type](
        vocab_size=60, max_position_embeddings=40, pad_token_id=pad, initializer_range=0.5, **sizes
    )
    network = AutoModelForSequenceClassification.from_config(config).eval()
    lengths = np.array([4, 9, 6, 12, 5])
    mask = (np.arange(12) < lengths[:, None]).astype(np.int64)
    ids = np.where(mask == 1, np.random.default_rng(0).integers(5, 60, mask.shape), pad)
    axes = ("batch_size", "sequence_length")
    specs = tuple(
        TensorSpec(name=name, dtype="int64", axes=axes, pad_value=0) for name in ("input_ids", "attention_mask")
    )
    signature = Signature(task="text-classification", inputs=specs, label_names=("a", "b"), padding_side="right")
    inputs = {"input_ids": ids, "attention_mask": mask}
    return exported(network, inputs, signature, 20)[0], inputs


@pytest.mark.long
@pytest.mark.parametrize(("model_type", "pad"), [("roberta", 1), ("xlm-roberta", 1), ("mpnet", 1), ("camembert", 3)])
def test_positions_that_are_counted_over_tokens_are_those_in_the_sentence(model_type, pad):
    made, inputs = exported_with_counted_positions(model_type, pad)
    whole = logits(made, inputs)
    packed = convert(made, None, Options(row_tokens=16))
    rows = pack(inputs, 16, {value.name: "int32" for value in packed.graph.input})
    assert len(rows["input_ids"]) < len(whole)
    assert np.abs(logits(packed, rows) - whole).max() < 1e-5
