import numpy as np
import pytest
from safetensors.numpy import save_file

from temper.errors import ArtifactError
from temper.reading.weights_file import tensors_in


def test_shapes_are_read_by_name(tmp_path):
    save_file({"w": np.zeros((2, 3), np.float32), "b": np.zeros(2, np.float32)}, tmp_path / "model.safetensors")
    assert tensors_in(tmp_path / "model.safetensors") == {"w": (2, 3), "b": (2,)}


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff" * 64], ids=["absent", "empty", "short", "no head"])
def test_what_is_no_safetensors_file_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        tensors_in(tmp_path / "model.safetensors")
    assert caught.value.asked.startswith("read the weights in ")
