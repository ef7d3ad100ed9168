"""Which model families go through which conversion on which runtime: `make matrix` writes results/matrix.json and docs/matrix.md.

Tiny random weights, seeded; what is held against transformers is the largest difference of a logit over the span of its logits.
A cell that is not there was not tried. One family after the other in one process: the libraries are imported once.

    python benchmarks/matrix.py [--engines] [--step=STEP] [FAMILY …]    # those alone, beside what the file has of the others

With --engines nothing but TensorRT-RTX's engines is made anew, with --step=pack_rows nothing but that column.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from temper.artifacts.manifest import write_text
from temper.artifacts.signature import BATCH_AXIS, SEQUENCE_AXIS, Signature, TensorSpec
from temper.engines import tensorrt_rtx
from temper.engines.profile import Profile, Profiles
from temper.environment import plugins
from temper.environment.library import INSTALLED
from temper.environment.machine import versions
from temper.errors import PipelineError
from temper.export.to_onnx import exported, root_cause
from temper.lengths.packing import pack
from temper.publish.matrix import ENGINES, FILE, OPSETS, STEPS, families, page
from temper.quantization.calibration.cache import CalibrationCache

ROWS, TOKENS, LABELS = 6, 24, 3
EXPORT_TOLERANCE = 1e-4  # of the span
Json = dict[str, Any]
OPTIONS: dict[str, Json] = {
    "fp16": {"keep_in_fp32": []},
    "int8_static": {
        "per_channel": True,
        "symmetric_activations": True,
        "quantize_outputs": True,
        "keep_in_float": [],
        "quantize_bias": False,
    },
    "int8_dynamic": {"per_channel": True},
    "int8_weight_only": {"per_channel": True, "keep_in_float": []},
    "pack_rows": {"row_tokens": TOKENS},
}


def _said(error: Exception) -> str:
    """An error in a line."""
    text = error.happened if isinstance(error, PipelineError) else root_cause(error)
    return " ".join(text.split())[:160]


def _network(family: Json) -> Any:
    """The family's classifier with random weights."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForImageClassification, AutoModelForSequenceClassification

    torch.manual_seed(0)
    auto = (
        AutoModelForSequenceClassification
        if family["task"] == "text-classification"
        else AutoModelForImageClassification
    )
    if family["model_type"] not in CONFIG_MAPPING:
        raise ValueError(
            f"transformers has no {family['model_type']}; a checkpoint of timm goes by its TimmWrapper, or not at all"
        )
    config = CONFIG_MAPPING[family["model_type"]](**family["config"], num_labels=LABELS)
    config.architectures = config.architectures or []  # where several classes answer, the first
    network = auto.from_config(config).eval()
    network.config.use_cache = False
    return network


def _inputs(family: Json) -> tuple[Signature, dict[str, Any]]:
    """A signature, and rows of several lengths padded on the right, or images."""
    generator = np.random.default_rng(0)
    if family["task"] == "image-classification":
        size = family.get("image_size", 32)
        spec = TensorSpec(name="pixel_values", dtype="float32", axes=(BATCH_AXIS, 3, size, size), pad_value=0)
        inputs = {"pixel_values": generator.normal(size=(ROWS, 3, size, size)).astype(np.float32)}
        specs: tuple[TensorSpec, ...] = (spec,)
    else:
        lengths = np.linspace(TOKENS // 3, TOKENS, ROWS).astype(int)
        mask = (np.arange(TOKENS) < lengths[:, None]).astype(np.int64)
        ids = generator.integers(5, 90, (ROWS, TOKENS)) * mask
        ids[np.arange(ROWS), lengths - 1] = 2  # what ends a row, which BART's classifier looks for
        inputs = {
            "input_ids": np.where(mask == 1, ids, family["config"].get("pad_token_id", 0)),
            "attention_mask": mask,
        }
        axes = (BATCH_AXIS, SEQUENCE_AXIS)
        specs = tuple(TensorSpec(name=name, dtype="int64", axes=axes, pad_value=0) for name in inputs)
    names = tuple(f"label {number}" for number in range(LABELS))
    return Signature(task=family["task"], inputs=specs, label_names=names, padding_side="right"), inputs


def _by_onnxruntime(model: Any, inputs: dict[str, Any]) -> Any:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    return session.run(["logits"], inputs)[0]


def _by_openvino(model: Any, inputs: dict[str, Any]) -> Any:
    import io

    import openvino

    read = openvino.Core().read_model(io.BytesIO(model.SerializeToString()))
    compiled = openvino.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    return next(iter(compiled(inputs).values()))


RUNTIMES: dict[str, Callable[[Any, dict[str, Any]], Any]] = {"ONNX Runtime": _by_onnxruntime, "OpenVINO": _by_openvino}


def _cell(expected: Any, answer: Callable[[], Any]) -> Json:
    """How far answers are from transformers', as a share of its span; or why there are none."""
    try:
        found = np.asarray(answer())
    except Exception as error:  # each library fails its own way
        return {"refused": _said(error)}
    if found.shape != expected.shape or not np.isfinite(found).all():
        return {
            "refused": "its answers are not numbers" if found.shape == expected.shape else f"it answers {found.shape}"
        }
    if not np.ptp(expected):
        return {"refused": "with these random weights every logit is the same: nothing can be told"}
    return {"difference": float(f"{np.abs(found - expected).max() / np.ptp(expected):.2g}")}


def _converted(model: Any, step: str, calls: list[Any], transformer: bool) -> Any:
    """A copy of the model behind a step."""
    from onnx import ModelProto

    from temper.quantization.calibration import nncf

    copy = ModelProto()
    copy.CopyFrom(model)
    module, cache = plugins.load("steps", step), None
    if module.NEEDS_CALIBRATION:
        kind = {"model_type": "transformer", "smooth_quant_alpha": 0.95} if transformer else {"model_type": "other"}
        options = nncf.Options.model_validate(
            {"preset": "performance", "fast_bias_correction": True, "smooth_quant_alpha": None, **kind}
        )
        collected = nncf.collect(copy, calls, options)
        cache = CalibrationCache("nncf", collected.ranges, collected.quantized)
    return module.convert(copy, cache, module.Options.model_validate(OPTIONS[step]))


def _engine(model: Any, signature: Signature) -> Json:
    """An engine of TensorRT-RTX for one to eight rows; nothing executes it."""
    import onnx

    text = signature.task == "text-classification"
    shapes = Profile((1, 8), (ROWS, TOKENS), (8, TOKENS)) if text else Profile((1,), (ROWS,), (8,))
    with tempfile.TemporaryDirectory(prefix="temper-matrix.") as scratch:
        file = Path(scratch) / "model.onnx"
        onnx.save(model, file)
        try:
            built = tensorrt_rtx.build(
                onnx_path=file, signature=signature, profiles=Profiles.dynamic(shapes), version=INSTALLED
            )
        except Exception as error:
            return {"refused": _said(error).replace(scratch, "")}
    return {"built": len(built.layers)}


def measured(family: Json, *, engines_alone: bool = False, step_alone: str | None = None) -> Json:
    """The cells of a family, by opset, by step and runtime, and by the engines' precision.

    Args:
        family: of `families`.
        engines_alone: measure nothing but whether engines are built.
        step_alone: measure nothing but this step.
    """
    import torch

    signature, inputs = _inputs(family)
    try:
        network = _network(family)
        with torch.inference_mode():
            expected = network(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits.numpy()
    except Exception as error:
        return {"refused": _said(error)}
    found: Json = {"opsets": {}, "steps": {}}
    first = None
    for opset in OPSETS:
        try:
            model, attention = exported(network, inputs, signature, opset)
        except PipelineError as error:
            found["opsets"][str(opset)] = {"refused": _said(error)}
            continue
        cell = _cell(expected, lambda model=model: _by_onnxruntime(model, inputs))
        if cell.get("difference", 0) > EXPORT_TOLERANCE:
            cell["refused"] = f"its answers are {cell.pop('difference'):.2g} of their span from transformers'"
        found["opsets"][str(opset)] = cell | ({} if attention is None else {"attention": attention})
        first = model if first is None and "refused" not in cell else first
        if (engines_alone or step_alone) and first is not None:
            break
    if first is None:
        return found
    text = signature.task == "text-classification"
    calls = [{name: array[row : row + 1] for name, array in inputs.items()} for row in range(ROWS)]
    found["engines"] = {}
    for step in [step_alone] if step_alone else ENGINES if engines_alone else ("export", *STEPS):
        if step == "pack_rows" and not text:
            continue
        try:
            model = first if step == "export" else _converted(first, step, calls, text)
        except Exception as error:
            found["steps"][step] = {"refused": _said(error)}
            continue
        if step in ENGINES and not step_alone:
            found["engines"][step] = _engine(model, signature)
        if engines_alone:
            continue
        given = pack(inputs, TOKENS, dict.fromkeys(model_inputs(model), "int32")) if step == "pack_rows" else inputs
        found["steps"][step] = {
            name: _cell(expected, lambda run=run, model=model, given=given: run(model, given))
            for name, run in RUNTIMES.items()
        }
    return found


def model_inputs(model: Any) -> list[str]:
    """Names of a model's inputs."""
    return [put.name for put in model.graph.input]


def main(asked: list[str]) -> int:
    """Measure the families that are named, or all; write the records and the page."""
    file = Path(__file__).parents[1] / FILE
    known = families()
    content: Json = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"families": {}}
    engines_alone = "--engines" in asked
    step_alone = next((each.removeprefix("--step=") for each in asked if each.startswith("--step=")), None)
    for name in [name for name in asked if not name.startswith("--")] or known:
        found = measured(known[name], engines_alone=engines_alone, step_alone=step_alone)
        before = content["families"].get(name, {}) if engines_alone or step_alone else {}
        if before and engines_alone:
            found = {**before, "engines": found.get("engines", {})}
        elif before:
            found = (
                {**before, "steps": {**before.get("steps", {}), **found.get("steps", {})}}
                if "steps" in before
                else before
            )
        content["families"][name] = found
        print(name, json.dumps(content["families"][name]), flush=True)
        content["versions"] = versions(
            "torch", "transformers", "onnx", "onnxruntime", "openvino", "nncf", "tensorrt-rtx-cu13"
        )
        content["families"] = {each: content["families"][each] for each in known if each in content["families"]}
        write_text(file, json.dumps(content, indent=1) + "\n")
        write_text(file.parents[1] / "docs/matrix.md", page(content))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
