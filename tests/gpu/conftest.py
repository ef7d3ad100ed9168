"""A small BERT with random weights for the GPU's tests: its checkpoint and its ONNX files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from temper.artifacts.manifest import write_manifest
from tests.tiny_onnx import TEXT, TOKENS, save_onnx_folder, text_inputs


@dataclass(frozen=True)
class SmallBert:
    """Folders, and what PyTorch answers on the CPU in float32."""

    checkpoint: Path
    onnx: dict[str, Path]

    def expected(self, shape: tuple[int, int]) -> np.ndarray:
        from temper.backends.pytorch import open_runner

        options = {"device": "cpu", "dtype": "float32", "threads": 1, "tf32": False, "mode": "eager"}
        with open_runner(str(self.checkpoint), options, "installed") as runner:
            return runner.infer(text_inputs(*shape))


def assert_same_answers(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Logits within a tolerance, and the labels of all rows that are not closer to a tie than that."""
    assert (found.dtype, found.shape) == (np.float32, expected.shape)
    np.testing.assert_allclose(found, expected, atol=tolerance, rtol=0)
    clear = np.abs(expected[:, 0] - expected[:, 1]) > 2 * tolerance
    assert clear.any()
    np.testing.assert_array_equal(found.argmax(1)[clear], expected.argmax(1)[clear])


@pytest.fixture(scope="session")
def small_bert(tmp_path_factory) -> SmallBert:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    from temper.export.to_onnx import _export
    from temper.quantization import fp16

    root = tmp_path_factory.mktemp("small_bert")
    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=TOKENS,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        num_labels=2,
        initializer_range=0.2,  # logits far enough from a tie
    )
    network = transformers.BertForSequenceClassification(config).eval()
    network.save_pretrained(root / "checkpoint")
    (root / "checkpoint/signature.json").write_text(TEXT.model_dump_json())
    write_manifest(root / "checkpoint/checkpoint.json", kind="checkpoint", facts={})
    model = _export(network, text_inputs(4, 16), TEXT, 20)
    onnx = {"fp32": save_onnx_folder(root / "fp32", model, TEXT, external_data=False)}
    half = fp16.convert(model, None, fp16.Options(keep_in_fp32=[]))
    onnx["fp16"] = save_onnx_folder(root / "fp16", half, TEXT, external_data=False)
    return SmallBert(root / "checkpoint", onnx)
