import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from temper.engines import tensorrt, tensorrt_rtx
from temper.engines.commands import equivalent_commands
from tests.tiny_onnx import text_model

ONE = [{"input_ids": ((1, 8), (4, 16), (8, 64))}]
TWO = [{"input_ids": (shape,) * 3, "attention_mask": (shape,) * 3} for shape in ((1, 64), (8, 16))]


def test_one_profile_needs_no_number():
    commands = equivalent_commands(tensorrt_rtx.API, ONE, has_attention=False)
    assert commands["tensorrt_rtx"] == (
        "tensorrt_rtx --onnx=model.onnx --minShapes=input_ids:1x8 --optShapes=input_ids:4x16 --maxShapes=input_ids:8x64 "
        "--noTF32 --profilingVerbosity=detailed --skipInference --saveEngine=model.engine"
    )


def test_each_of_several_profiles_has_its_own_shapes():
    command = equivalent_commands(tensorrt.API, TWO, has_attention=True)["trtexec"]
    assert command.startswith("trtexec --onnx=model.onnx --profile=0 --minShapes=input_ids:1x64,attention_mask:1x64 ")
    assert "--profile=1 --minShapes=input_ids:8x16,attention_mask:8x16" in command
    assert "--stronglyTyped" in command
    assert "--decomposableAttentions='*'" in command


@pytest.mark.parametrize("profiles", [ONE, TWO], ids=["one", "two"])
def test_polygraphy_makes_an_engine_of_the_command(tmp_path, profiles):
    pytest.importorskip("tensorrt_rtx")
    pytest.importorskip("polygraphy")
    onnx.save(text_model("fp16"), tmp_path / "model.onnx")
    whole = [{name: each["input_ids"] for name in ("input_ids", "attention_mask")} for each in profiles]
    command = equivalent_commands(tensorrt_rtx.API, whole, has_attention=False)["polygraphy"]
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PATH": tools}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "model.engine").stat().st_size > 1000
    assert f"{len(profiles)} profile(s)" in done.stdout or len(profiles) == 1
