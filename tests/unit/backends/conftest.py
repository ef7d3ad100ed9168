from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from temper.artifacts.manifest import write_manifest
from temper.backends import tensorrt_engine, tensorrt_runner
from temper.backends.tensorrt_engine import Settings
from temper.backends.tensorrt_runner import TensorRTRunner
from temper.engines.profile import Profiles
from temper.engines.tensorrt_rtx import API
from temper.environment.devices import Gpu
from tests.fake_gpu import VERSION, FakeCuda, FakeEngine, fake_tensorrt
from tests.tiny_onnx import TEXT

DYNAMIC = {"min_shape": [1, 2], "opt_shape": [4, 16], "max_shape": [8, 64]}
STATIC = {"static_shapes": [[1, 32], [4, 8], [8, 16]]}


@dataclass
class OnFakeGpu:
    """An engine's folder and the fakes that a runner of it will meet."""

    cuda: FakeCuda
    engine: FakeEngine
    folder: Path

    def runner(self, **changes: Any) -> TensorRTRunner:
        """A runner of it, not yet loaded."""
        settings = {
            "device_index": 0,
            "cuda_graph": False,
            "kernel_specialization": "eager",
            "runtime_cache": False,
            "trim_padding": False,
        }
        return TensorRTRunner(API, str(self.folder), Settings(**{**settings, **changes}), "installed")


@pytest.fixture
def on_fake_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., OnFakeGpu]:
    """Makes an engine of the row's shapes and a GPU that computes on the host."""

    def make(row=DYNAMIC, *, cuda=None, signature=TEXT, loads=True, messages=(), **facts) -> OnFakeGpu:
        cuda, profiles = cuda or FakeCuda(), Profiles.from_row(row)
        engine = FakeEngine(cuda, signature, profiles)
        folder = tmp_path / "artifacts/engines/tiny"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.engine").write_bytes(b"an engine")
        (folder / "signature.json").write_text(signature.model_dump_json())
        manifest = {
            "status": "built",
            "library_version": VERSION,
            "profiles": profiles.as_rows(),
            "layers_by_precision": {"FP32": 2},
            "gpu": "Fake GPU",
            "compute_capability": None,
        }
        write_manifest(folder / "engine.json", kind="engine", facts={**manifest, **facts})
        trt = fake_tensorrt(engine if loads else None, messages)
        for module in (tensorrt_engine, tensorrt_runner):
            monkeypatch.setattr(module, "nvidia_gpus", lambda: (Gpu("Fake GPU", "580.1"),))
        monkeypatch.setattr(tensorrt_engine, "import_library", lambda library, asked: trt)
        monkeypatch.setattr(tensorrt_engine, "import_runtime", lambda: cuda)
        return OnFakeGpu(cuda, engine, folder)

    return make
