"""Without a GPU: a row is unavailable with its reason. tests/gpu/test_tensorrt_rtx.py runs engines."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from temper.artifacts.manifest import write_manifest
from temper.backends import tensorrt_rtx
from temper.environment.devices import nvidia_gpus
from temper.errors import ArtifactError, Unavailable
from tests.tiny_onnx import TEXT

OPTIONS = {
    "device_index": 0,
    "cuda_graph": False,
    "kernel_specialization": "lazy",
    "runtime_cache": False,
    "trim_padding": False,
}
without_gpu = pytest.mark.skipif(bool(nvidia_gpus()), reason="tests/gpu takes over where there is a GPU")


@pytest.fixture
def engine_folder(tmp_path):
    def make(**facts):
        (tmp_path / "model.engine").write_bytes(b"an engine")
        (tmp_path / "signature.json").write_text(TEXT.model_dump_json())
        write_manifest(tmp_path / "engine.json", kind="engine", facts=facts)
        return tmp_path

    return make


def open_engine(folder):
    return tensorrt_rtx.open_runner(str(folder), OPTIONS, "installed")


def test_an_engine_that_was_not_built_is_unavailable_for_that_reason(engine_folder):
    folder = engine_folder(status="not built", reason="no build for Darwin arm64")
    with pytest.raises(Unavailable, match="no build for Darwin arm64"), open_engine(folder):
        pass


@without_gpu
def test_without_a_gpu_it_is_unavailable(engine_folder):
    with pytest.raises(Unavailable, match=r"^no NVIDIA GPU$"), open_engine(engine_folder(status="built")):
        pass


@without_gpu
def test_without_a_gpu_the_library_is_not_imported(engine_folder):
    program = f"""
import sys
from temper.backends.tensorrt_rtx import open_runner
from temper.errors import Unavailable
try:
    open_runner({str(engine_folder(status="built"))!r}, {OPTIONS!r}, "installed").__enter__()
except Unavailable:
    print([name for name in sys.modules if name.startswith(("tensorrt", "cuda"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_engine_altered_after_its_manifest_is_refused_before_anything_else(engine_folder):
    folder = engine_folder(status="built")
    (folder / "model.engine").write_bytes(b"another engine")
    with pytest.raises(ArtifactError, match="altered"), open_engine(folder):
        pass


@pytest.mark.parametrize(
    "options",
    [
        {},
        *({key: value for key, value in OPTIONS.items() if key != missing} for missing in OPTIONS),
        {**OPTIONS, "device_index": -1},
        {**OPTIONS, "kernel_specialization": "later"},
        {**OPTIONS, "synchronize": "spin"},
    ],
)
def test_options_are_closed_and_have_no_defaults(options):
    with pytest.raises(ValidationError):
        tensorrt_rtx.open_runner("engine", options, "installed")


def test_a_graph_of_the_kernels_that_only_stand_in_is_refused():
    with pytest.raises(ValidationError, match="kernel_specialization lazy would keep the kernels that stand in"):
        tensorrt_rtx.Options.model_validate({**OPTIONS, "cuda_graph": True})
    for choice in ("eager", "none"):
        tensorrt_rtx.Options.model_validate({**OPTIONS, "cuda_graph": True, "kernel_specialization": choice})


def test_it_loads_engines_only():
    assert tensorrt_rtx.ACCEPTS == ("engines",)


@without_gpu
def test_a_trace_without_a_gpu_is_unavailable(engine_folder):
    with pytest.raises(Unavailable, match=r"^no NVIDIA GPU$"):
        tensorrt_rtx.trace(str(engine_folder(status="built")), OPTIONS, "installed", [])
