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


def packed_artifact(tiny_study, folder, options):
    convert_precision(
        onnx_folder=str(tiny_study.fp32),
        calibration_folder=None,
        search_folder=None,
        folder=str(folder),
        step="pack_rows",
        options=options,
        external_data=False,
    )


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
    packed_artifact(tiny_study, tmp_path / "packed", {"row_tokens": ROW})
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


def test_rows_that_may_be_shorter_answer_the_same_in_fewer_tokens(tiny_study, tmp_path):
    packed_artifact(tiny_study, tmp_path / "packed", {"row_tokens": ROW, "pad_to_multiple_of": 4})
    onnx.checker.check_model(load(tmp_path / "packed"))
    whole, seen = tiny_study.inputs([0, 1]), []
    own = (np.arange(MAX_TOKENS) < np.array([[MAX_TOKENS - 5], [MAX_TOKENS - 9]])).astype(np.int64)
    batch = {name: np.ascontiguousarray(array * own) for name, array in whole.items()}
    for runner_name in ("onnxruntime", "openvino"):
        with open_artifact(runner_name, str(tmp_path / "packed"), CPU[runner_name][1], "installed") as runner:
            shape = runner.shape_of(batch)
            assert runner.computed_tokens(batch) == shape[1] * shape[2] < shape[1] * ROW
            seen.append(runner.infer(batch))
            assert runner.describe()["packed_row_tokens_multiple_of"] == 4
    with open_artifact("onnxruntime", str(tiny_study.fp32), CPU["onnxruntime"][1], "installed") as runner:
        assert all(np.abs(runner.infer(batch) - each).max() < 1e-4 for each in seen)


def test_what_cannot_be_packed_is_refused(tiny_study):
    with pytest.raises(ArtifactError, match="0 nodes pick one fixed token"):
        convert(between_products("Relu"), None, Options(row_tokens=ROW))
    without = tiny_study.signature.inputs[:1]
    assert without[0].name != "attention_mask"
    with pytest.raises(ArtifactError, match="none of which shows the padding"):
        signature_after(tiny_study.signature.model_copy(update={"inputs": without}), Options(row_tokens=ROW))


def test_a_mask_that_is_read_in_another_way_is_refused(tiny_study):
    model = load(tiny_study.fp32)
    where = next(node for node in model.graph.node if node.op_type == "Where" and "IsNaN" not in node.input[0])
    where.input[1], where.input[2] = where.input[2], where.input[1]  # hides what it showed
    Answers.of(model)  # it runs
    with pytest.raises(ArtifactError, match="in a way that is not known"):
        convert(model, None, Options(row_tokens=ROW))


SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 60}
PLACES = {**SIZES, "max_position_embeddings": 40, "initializer_range": 0.5}
DECODER = {**PLACES, "pad_token_id": 0, "num_key_value_heads": 1, "head_dim": 8}
FAMILIES = {
    "gpt2": {"vocab_size": 60, "n_positions": 40, "n_embd": 16, "n_layer": 2, "n_head": 2, "pad_token_id": 0},
    "opt": {**PLACES, "ffn_dim": 32, "word_embed_proj_dim": 16, "pad_token_id": 0},
    "llama": DECODER,
    "qwen3": DECODER,
    "gemma": DECODER,
    "mistral": {**DECODER, "sliding_window": 5},
    "gemma2": {**DECODER, "sliding_window": 5},
    "modernbert": {**PLACES, "pad_token_id": 0, "global_attn_every_n_layers": 2, "local_attention": 8},
    "nomic_bert": {**PLACES, "pad_token_id": 0},
    "roberta": {**PLACES, "pad_token_id": 1},
    "xlm-roberta": {**PLACES, "pad_token_id": 1},
    "mpnet": {**PLACES, "pad_token_id": 1},
    "camembert": {**PLACES, "pad_token_id": 3},
}
REFUSED = {"roformer": {**PLACES, "pad_token_id": 0}}
DECODERS = ("gpt2", "opt", "llama", "qwen3", "gemma", "mistral", "gemma2")
LENGTHS = ([20], [1], [4, 9, 6, 12, 5], [3] * 25, [*range(1, 21)])


def network_of(model_type, **changes):
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

    torch.manual_seed(0)
    config = CONFIG_MAPPING[model_type](**(FAMILIES | REFUSED)[model_type], num_labels=3, **changes)
    network = AutoModelForSequenceClassification.from_config(config).eval()
    network.config.use_cache = False
    return network


def texts(lengths, network, side="right"):
    """Padded rows; the last token of every fifth is the one that pads, where a decoder may read such a row."""
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    ids = np.random.default_rng(0).integers(5, 60, mask.shape)
    ids = np.where(mask == 1, ids, network.config.pad_token_id)
    if network.config.model_type in DECODERS:
        ids[::5, -1] = network.config.pad_token_id
    rows = {"input_ids": ids, "attention_mask": mask}
    if side == "right":
        return rows
    return {
        name: np.stack([np.roll(row, mask.shape[1] - size) for row, size in zip(array, lengths, strict=True)])
        for name, array in rows.items()
    }


def alone(network, inputs):
    """transformers' answers to each row without padding."""
    import torch

    with torch.inference_mode():
        found = [
            network(input_ids=torch.tensor(ids[shown == 1])[None], attention_mask=torch.ones((1, shown.sum())).long())
            for ids, shown in zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
        ]
    return np.concatenate([each.logits.numpy() for each in found])


def exported_on(network, side, opset):
    from temper.artifacts.signature import TensorSpec
    from temper.export.to_onnx import exported
    from temper.training.padding import count_positions

    axes = ("batch_size", "sequence_length")
    names = ("input_ids", "attention_mask")
    specs = tuple(TensorSpec(name=name, dtype="int64", axes=axes, pad_value=0) for name in names)
    signature = Signature(task="text-classification", inputs=specs, label_names=("a", "b", "c"), padding_side=side)
    count_positions(network, signature)
    return exported(network, texts(LENGTHS[2], network, side), signature, opset)[0]


def by_openvino(model, inputs):
    import io

    import openvino

    read = openvino.Core().read_model(io.BytesIO(model.SerializeToString()))
    compiled = openvino.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    return next(iter(compiled(dict(inputs)).values()))


@pytest.mark.long
@pytest.mark.parametrize(
    ("model_type", "side", "opset"),
    [
        *((name, "right", 20) for name in FAMILIES),
        *((name, "left", 20) for name in DECODERS),
        ("llama", "right", 23),
        ("modernbert", "right", 23),
    ],
)
@pytest.mark.parametrize("multiple", [None, 4], ids=["rows of 32", "shorter rows"])
def test_each_text_has_the_answer_that_transformers_gives_it_alone(model_type, side, opset, multiple):
    network = network_of(model_type)
    packed = convert(exported_on(network, side, opset), None, Options(row_tokens=32, pad_to_multiple_of=multiple))
    onnx.checker.check_model(packed, full_check=True)
    for lengths in LENGTHS:
        inputs = texts(lengths, network, side)
        expected = alone(network, inputs)
        rows = pack(inputs, 32, {value.name: "int32" for value in packed.graph.input}, multiple)
        assert len(rows["input_ids"]) < len(lengths) or len(lengths) == 1
        for answers in (logits(packed, rows), by_openvino(packed, rows)):
            assert np.abs(answers - expected).max() < 1e-4 * max(1.0, np.ptp(expected))


@pytest.mark.long
@pytest.mark.parametrize(
    ("model_type", "changes", "words"),
    [
        ("modernbert", {"classifier_pooling": "mean"}, "0 nodes pick one fixed token"),
        ("roformer", {}, "tells places"),  # its table is read at [token], for all rows alike
    ],
)
def test_what_packed_rows_would_answer_otherwise_is_refused_by_name(model_type, changes, words):
    network = network_of(model_type, **changes)
    with pytest.raises(ArtifactError, match=words):
        convert(exported_on(network, "right", 20), None, Options(row_tokens=32))
