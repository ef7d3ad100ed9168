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
    "steps": [
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
        "sanitize",
        "simplify",
        "truncate",
        "unguarded_softmax",
    ],
    "engines": ["tensorrt", "tensorrt_rtx"],
    "backends": ["null", "onnxruntime", "openvino", "pytorch", "tensorrt", "tensorrt_rtx"],
    "tasks": ["embedding", "multi_label", "score", "single_label", "token_classification"],
    "evaluation": ["embedding", "multi_label", "score", "single_label", "token_classification"],
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
    "onnx_graphsurgeon",
    "polygraphy",
    "datasets",
    "sklearn",
    "pyarrow",
    "pandas",
    "scipy",
}


@pytest.mark.parametrize("kind", plugins.FUNCTION)
def test_the_choices_are_the_files_that_define_their_kinds_function(kind):
    assert plugins.names(kind) == LISTED[kind]


def test_a_choice_that_is_not_there_would_be_a_file_of_its_kinds_usual_folder():
    assert plugins.file_of("steps", "fp16") == "quantization/fp16.py"
    assert plugins.file_of("steps", "absent") == "transforms/absent.py"
    assert plugins.file_of("backends", "absent") == "backends/absent.py"


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in LISTED.items() for name in names])
def test_every_choice_has_what_planning_reads(kind, name):
    module = plugins.load(kind, name)
    assert callable(getattr(module, plugins.FUNCTION[kind]))
    assert plugins.module_name(kind, name) == module.__name__
    asked = {
        "data": ["LIBRARIES"],
        "training": ["LIBRARIES"],
        "calibration": ["LIBRARIES"],
        "steps": ["NEEDS_CALIBRATION", "LIBRARIES"],
        "engines": ["LIBRARY"],
        "backends": ["LIBRARY", "ACCEPTS", "PREDICTS"],
        "tasks": ["TITLE", "PROBLEM_TYPE", "LABEL_TYPE"],
        "evaluation": ["METRICS"],
    }
    for constant in asked.get(kind, []):
        assert hasattr(module, constant), constant
    if kind not in ("engines", "tasks", "evaluation"):
        assert module.Options.model_config["extra"] == "forbid"
        defaults = [key for key, field in module.Options.model_fields.items() if not field.is_required()]
        # absent of one label of several, of one device, and where padding, lengths or attention stay: what such a study says
        # is what it said before
        left_out = {"data": ["labels", "group"], "training": ["devices"] if name == "fine_tune" else []}
        left_out["backends"] = ["trim_padding"] if name in ("openvino", "onnxruntime") else []
        left_out["steps"] = {"fp8": ["attention"], "pack_rows": ["pad_to_multiple_of"]}.get(name, [])
        assert defaults == left_out.get(kind, [])


def test_planning_imports_no_library_that_only_a_job_needs():
    program = f"""
import sys, yaml
from temper.environment import plugins
from temper.study.study import read_study
read_study(yaml.safe_load(open({str(ROOT / "params.yaml")!r})), [{str(ROOT / "params.yaml")!r}])
for kind in plugins.FUNCTION:
    for name in plugins.names(kind):
        plugins.load(kind, name)
print(sorted(set(sys.modules) & {HEAVY!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
