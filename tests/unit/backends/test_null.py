import numpy as np
import pytest
from pydantic import ValidationError

from temper.backends import null


@pytest.mark.parametrize("artifact", ["data", "checkpoint", "fp32"])
def test_it_answers_zeros_for_any_artifact_with_a_signature(tiny_study, artifact):
    with null.open_runner(str(getattr(tiny_study, artifact)), {}, "none") as runner:
        assert np.array_equal(runner.infer(tiny_study.inputs([0, 1, 2])), np.zeros((3, 2), np.float32))


def test_it_needs_no_library_takes_every_kind_and_predicts_nothing():
    assert null.LIBRARY is None
    assert null.ACCEPTS == ("checkpoint", "onnx", "engines")
    assert null.PREDICTS is False


def test_it_has_no_options():
    with pytest.raises(ValidationError):
        null.open_runner("anywhere", {"threads": 1}, "none")
