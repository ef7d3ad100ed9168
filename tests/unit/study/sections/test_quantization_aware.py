import pytest
from pydantic import ValidationError

from temper.errors import ConfigError
from temper.study.sections.quantization_aware import QuantizationAwareRow, check_calibration

ROW = {
    "onnx": "fp32",
    "calibration": "main",
    "device": "cpu",
    "threads": 1,
    "steps": 8,
    "batch_size": 8,
    "learning_rate": 1.0e-3,
    "steps_per_log": 3,
    "keep_in_float": [],
    "max_logit_difference": 0.05,
}


@pytest.mark.parametrize("key", list(ROW))
def test_no_key_has_a_default(key):
    with pytest.raises(ValidationError, match=key):
        QuantizationAwareRow.model_validate({name: value for name, value in ROW.items() if name != key})


@pytest.mark.parametrize(
    "change",
    [{"device": "gpu"}, {"threads": 0}, {"steps": 0}, {"batch_size": 0}, {"learning_rate": 0.0},
     {"learning_rate": float("inf")}, {"steps_per_log": 0}, {"max_logit_difference": 0.0}, {"epochs": 3}],
    ids=str,
)  # fmt: skip
def test_a_wrong_value_and_an_unknown_key_are_refused(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        QuantizationAwareRow.model_validate({**ROW, **change})


def test_ranges_of_another_file_are_refused():
    row = QuantizationAwareRow.model_validate(ROW)
    check_calibration("quantization_aware.x", row, "fp32")
    with pytest.raises(ConfigError) as caught:
        check_calibration("quantization_aware.x", row, "other")
    assert "its calibration 'main' holds the ranges of onnx/other" in caught.value.happened
