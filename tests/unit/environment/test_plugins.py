import subprocess
import sys
from pathlib import Path

import pytest

from temper.environment import plugins

ROOT = Path(__file__).parents[3]
LISTED = {
    "data": ["digits", "files", "hub", "image_folder", "synthetic"],
    "training": ["fine_tune", "none", "untrained"],
    "calibration": ["entropy", "minmax", "moving_average", "nncf", "percentile", "smooth_quant"],
    "precisions": [
        "additive_mask",
        "bf16",
        "fp16",
        "fp8",
        "fuse_qkv",
        "gelu_tanh",
        "int8_dynamic",
        "int8_static",
        "int8_weight_only",
        "pack_rows",
        "read_token",
        "simplify",
        "truncate",
        "unguarded_softmax",
    ],
    "engines": ["tensorrt", "tensorrt_rtx"],
    "backends": ["null", "onnxruntime", "openvino", "pytorch", "tensorrt", "tensorrt_rtx"],
}
HEAVY = {
    "torch",
    "transformers",
    "onnxruntime",
    "openvino",
    "tensorrt",
    "tensorrt_rtx",
    "cuda",
    "nncf",
    "onnxslim",
    "datasets",
    "sklearn",
}


@pytest.mark.parametrize("folder", plugins.FUNCTION)
def test_the_choices_are_the_files_that_define_their_folders_function(folder):
    assert plugins.names(folder) == LISTED[folder]


@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder, names in LISTED.items() for name in names])
def test_every_choice_has_what_planning_reads(folder, name):
    module = plugins.load(folder, name)
    assert callable(getattr(module, plugins.FUNCTION[folder]))
    assert plugins.module_name(folder, name) == module.__name__
    asked = {
        "data": ["LIBRARIES"],
        "training": ["LIBRARIES"],
        "calibration": ["LIBRARIES"],
        "precisions": ["NEEDS_CALIBRATION", "LIBRARIES"],
        "engines": ["LIBRARY"],
        "backends": ["LIBRARY", "ACCEPTS", "PREDICTS"],
    }
    for constant in asked.get(folder, []):
        assert hasattr(module, constant), constant
    if folder != "engines":
        assert module.Options.model_config["extra"] == "forbid"
        defaults = [key for key, field in module.Options.model_fields.items() if not field.is_required()]
        assert defaults == []


def test_planning_imports_no_library_that_only_a_job_needs():
    program = f"""
import sys, yaml
from temper.environment import plugins
from temper.study.study import read_study
read_study(yaml.safe_load(open({str(ROOT / "params.yaml")!r})), [{str(ROOT / "params.yaml")!r}])
for folder in plugins.FUNCTION:
    for name in plugins.names(folder):
        plugins.load(folder, name)
print(sorted(set(sys.modules) & {HEAVY!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
