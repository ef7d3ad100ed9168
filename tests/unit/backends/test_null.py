import numpy as np
import pytest
from pydantic import ValidationError

from temper.backends import null
from temper.backends.opening import open_artifact
from temper.transforms.pack_rows import Options, signature_after
from tests.tiny_study import MAX_TOKENS


@pytest.mark.parametrize("artifact", ["data", "checkpoint", "fp32"])
def test_it_answers_zeros_for_any_artifact_with_a_signature(tiny_study, artifact):
    with null.open_runner(str(getattr(tiny_study, artifact)), {}, "none") as runner:
        assert np.array_equal(runner.infer(tiny_study.inputs([0, 1, 2])), np.zeros((3, 2), np.float32))


def test_it_answers_padded_batches_of_a_model_on_packed_rows(tiny_study, copy_of):
    folder = copy_of(tiny_study.fp32)
    packed = signature_after(tiny_study.signature, Options(row_tokens=2 * MAX_TOKENS))
    (folder / "signature.json").write_text(packed.model_dump_json(), encoding="utf-8")
    with open_artifact("null", str(folder), {}, "none") as runner:
        assert np.array_equal(runner.infer(tiny_study.inputs([0, 1, 2])), np.zeros((3, 2), np.float32))


def test_it_answers_each_token_where_the_model_does(tiny_study, copy_of):
    folder = copy_of(tiny_study.fp32)
    words = tiny_study.signature.model_copy(update={"answers_at": "tokens"})
    (folder / "signature.json").write_text(words.model_dump_json(), encoding="utf-8")
    inputs = tiny_study.inputs([0, 1])
    with open_artifact("null", str(folder), {}, "none") as runner:
        assert runner.infer(inputs).shape == (*inputs["input_ids"].shape, 2)


def test_it_needs_no_library_takes_every_kind_and_predicts_nothing():
    assert null.LIBRARY is None
    assert null.ACCEPTS == ("checkpoint", "onnx", "engines")
    assert null.PREDICTS is False


def test_it_has_no_options():
    with pytest.raises(ValidationError):
        null.open_runner("anywhere", {"threads": 1}, "none")
