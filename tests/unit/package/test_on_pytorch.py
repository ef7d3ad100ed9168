"""PyTorch as a package runs it: as it is and without padding, the same answers."""

import shutil

import numpy as np
import pytest

from temper.package.runtime import on_pytorch
from temper.package.runtime.errors import PackageError
from temper.package.runtime.on_pytorch import PyTorchRunner
from temper.package.runtime.signature import read_signature

OPTIONS = {"device": "cpu", "dtype": "float32", "threads": 1, "tf32": False, "mode": "eager"}


@pytest.fixture
def loaded(tiny_study):
    """The tiny study's checkpoint in a mode."""

    def load(**options):
        signature = read_signature(tiny_study.checkpoint / "signature.json")
        return PyTorchRunner(tiny_study.checkpoint, {"options": {**OPTIONS, **options}}, signature)

    return load


def test_without_padding_the_answers_are_those_of_the_padded_model(loaded, tiny_study):
    ids = np.array([[2, 5, 6, 3, 0, 0], [2, 7, 8, 9, 10, 3], [2, 3, 0, 0, 0, 0]], np.int64)
    inputs = {"input_ids": ids, "attention_mask": (np.arange(6) < [[4], [6], [2]]).astype(np.int64)}
    given = {spec.name: inputs.get(spec.name, np.zeros_like(ids)) for spec in tiny_study.signature.inputs}
    padded, unpadded = loaded(), loaded(mode="unpadded")
    np.testing.assert_allclose(unpadded.infer(given), padded.infer(given), atol=1e-5)
    for each in (padded, unpadded):
        each.close()


def test_on_a_gpu_it_asks_for_the_compiler_that_it_needs(loaded, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(PackageError) as caught:
        loaded(device="cuda", dtype="float16", mode="unpadded")
    assert "no C compiler is on the path" in caught.value.happened
    assert on_pytorch.MODES
