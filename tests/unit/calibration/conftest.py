from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from temper.data.encoded import collate, read_split
from temper.onnx_file import QUANTIZABLE, load
from tests.tiny_study import SAMPLES, TinyStudy


@pytest.fixture
def model(tiny_study: TinyStudy) -> ModelProto:
    return load(tiny_study.fp32)


@pytest.fixture(scope="session")
def batches(tiny_study: TinyStudy) -> list[dict[str, Any]]:
    """The rows that the tiny study's caches were calibrated on, a call each."""
    split = read_split(tiny_study.data / "calibration.parquet", tiny_study.signature)
    return [
        dict(collate(split, np.asarray([row]), tiny_study.signature, sequence_length=None)) for row in range(SAMPLES)
    ]


@pytest.fixture
def around_products(model: ModelProto) -> set[str]:
    """Names of the tensors that go into a product or come out of it, weights left out."""
    weights = {tensor.name for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in QUANTIZABLE]
    return {name for node in products for name in (*node.input, *node.output) if name} - weights
