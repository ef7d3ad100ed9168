import pytest
from pydantic import ValidationError

from temper.artifacts.signature import DYNAMIC_AXES, PREPROCESSOR_FILES, Signature
from tests.tiny_onnx import IMAGE, TEXT


def test_named_axes_take_their_sizes_and_numbers_stay():
    sizes = {"batch_size": 5, "sequence_length": 7}
    assert [spec.shape(sizes) for spec in TEXT.inputs] == [(5, 7), (5, 7)]
    assert IMAGE.inputs[0].shape(sizes) == (5, 2, 2, 2)
    with pytest.raises(KeyError, match="sequence_length"):
        TEXT.inputs[0].shape({"batch_size": 5})


def test_every_task_has_its_axes_batch_first_and_its_preprocessor_files():
    assert TEXT.dynamic_axes == ("batch_size", "sequence_length")
    assert IMAGE.dynamic_axes == ("batch_size",)
    assert DYNAMIC_AXES.keys() == PREPROCESSOR_FILES.keys()


def test_json_and_back_is_the_same_signature():
    for signature in (TEXT, IMAGE):
        assert Signature.model_validate_json(signature.model_dump_json()) == signature


@pytest.mark.parametrize("change", [{"extra": 1}, {"task": "translation"}, {"padding_side": "middle"}])
def test_a_signature_of_another_form_is_refused(change):
    with pytest.raises(ValidationError):
        Signature.model_validate({**TEXT.model_dump(), **change})
