from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import ModelProto

from temper.artifacts.onnx_file import QUANTIZABLE, load
from temper.data.encoded import Split, collate, read_split
from tests.tiny_study import SAMPLES, TinyStudy


@pytest.fixture
def model(tiny_study: TinyStudy) -> ModelProto:
    return load(tiny_study.fp32)


@pytest.fixture(scope="session")
def split(tiny_study: TinyStudy) -> Split:
    """All calibration rows of the tiny study."""
    return read_split(tiny_study.data / "calibration.parquet", tiny_study.signature)


@pytest.fixture(scope="session")
def batches(tiny_study: TinyStudy, split: Split) -> list[dict[str, Any]]:
    """The rows that the tiny study's caches were calibrated on, a call each."""
    return [
        dict(collate(split, np.asarray([row]), tiny_study.signature, sequence_length=None)) for row in range(SAMPLES)
    ]


@pytest.fixture
def around_products(model: ModelProto) -> set[str]:
    """Names of the tensors that go into a product or come out of it, weights left out."""
    weights = {tensor.name for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in QUANTIZABLE]
    return {name for node in products for name in (*node.input, *node.output) if name} - weights


@pytest.fixture
def activations(
    model: ModelProto, batches: list[dict[str, Any]], around_products: set[str]
) -> list[dict[str, np.ndarray]]:
    """What these tensors hold in each call, by ONNX Runtime with nothing optimised."""
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    names = sorted(around_products)
    del seen.graph.output[:]
    seen.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    settings = ort.SessionOptions()
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(seen.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    return [dict(zip(names, session.run(names, batch), strict=True)) for batch in batches]
