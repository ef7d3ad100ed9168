import json

import numpy as np
import pytest

from temper.errors import ArtifactError
from temper.quantization.calibration.cache import read_cache
from tests.tiny_study import METHODS


@pytest.mark.parametrize("method", METHODS)
def test_a_cache_is_read_as_it_was_written(tiny_study, method):
    cache = read_cache(tiny_study.calibration[method])
    assert cache.method == method
    assert np.isfinite(list(cache.ranges.values())).all()
    assert (cache.quantized is not None) == (method == "nncf")


def test_the_ranges_can_be_read_by_a_person(tiny_study):
    content = json.loads((tiny_study.calibration["minmax"] / "cache.json").read_text())
    cache = read_cache(tiny_study.calibration["minmax"])
    assert {name: tuple(ends) for name, ends in content["ranges"].items()} == cache.ranges


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"x"), lambda path: path.unlink()])
def test_an_altered_or_missing_file_is_refused(tiny_study, copy_of, spoil):
    folder = copy_of(tiny_study.calibration["entropy"])
    spoil(folder / "quantized.onnx")
    with pytest.raises(ArtifactError, match=r"quantized\.onnx"):
        read_cache(folder)
