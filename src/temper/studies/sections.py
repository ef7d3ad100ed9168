"""The sections of a new study's params.yaml: the rows of the studies of this repository, for one model and its data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from temper.model_options import Task
from temper.params_file import ParamsDumper

SEED = 17
Section = dict[str, Any]
COMMENTS = {
    "data": "docs/params.md describes every key; none has a default",
    "exports": "ONNX files out of the checkpoint",
    "calibrations": "ranges of activations, for INT8",
    "precisions": "ONNX files out of others",
    "calibrated_precisions": "ONNX files out of others with a calibration",
    "engines": "TensorRT engines; built without a GPU, run on one",
    "backends": "what runs an artifact; threads: of this machine",
    "workloads": "what one call is",
    "measurement": "docs/measuring.md",
    "analysis": "what is concluded; a change measures nothing anew",
    "baseline": "what every candidate is timed beside and held against",
    "candidates": "what is not listed is not run",
}


@dataclass(frozen=True)
class Wanted:
    """What a new study is made of.

    data: the `data:` section.
    checkpoint: folder of the checkpoint, from the study's.
    attends: whether the network has attention.
    sequence_length: tokens of a timed call; None for images.
    fine_tune: whether the checkpoint is trained on the data, or taken as it is.
    engine_version: of TensorRT-RTX, whose engines are built and run on an NVIDIA GPU; None: without them.
    threads: of the CPU backends and of training.
    """

    name: str
    task: Task
    data: Section
    checkpoint: str
    attends: bool
    sequence_length: int | None
    fine_tune: bool
    engine_version: str | None
    threads: int


def _train(wanted: Wanted) -> Section:
    if not wanted.fine_tune:
        return {"method": "none"}
    return {
        "method": "fine_tune",
        "device": "cuda" if wanted.engine_version else "cpu",
        "precision": "float32",
        "threads": wanted.threads,
        "epochs": 3,
        "batch_size": 32,
        "learning_rate": 5.0e-5,
        "weight_decay": 0.01,
        "warmup_share": 0.1,
        "early_stopping_patience": None,
    }


def _backends(wanted: Wanted) -> Section:
    threads = wanted.threads
    cpu: Section = {"version": "installed", "gpus": 0}
    backends: Section = {
        "harness": {"runner": "null", **cpu, "options": {}},
        "pytorch-cpu": {
            "runner": "pytorch",
            **cpu,
            "options": {"device": "cpu", "dtype": "float32", "threads": threads, "tf32": False, "mode": "eager"},
        },
        "ort-cpu": {
            "runner": "onnxruntime",
            **cpu,
            "options": {
                "execution_provider": "CPUExecutionProvider",
                "device_index": 0,
                "intra_op_threads": threads,
                "spinning": False,
                "graph_optimization": "all",
                "allow_cpu_fallback": False,
                "io_binding": False,
                "cuda_graph": False,
                "tf32": False,
                "profile_shapes": None,
            },
        },
        "openvino-cpu": {
            "runner": "openvino",
            **cpu,
            "options": {"device": "CPU", "inference_precision": "f32", "threads": threads, "shapes": "dynamic"},
        },
    }
    if wanted.engine_version:
        rtx = {
            "device_index": 0,
            "cuda_graph": True,
            "kernel_specialization": "eager",
            "runtime_cache": False,
            "trim_padding": False,
        }
        backends["rtx"] = {"runner": "tensorrt_rtx", "version": wanted.engine_version, "gpus": 1, "options": rtx}
    return backends


def _engines(wanted: Wanted) -> Section:
    """FP16 and, with attention, INT8: TensorRT-RTX has no INT8 convolution."""
    if not wanted.engine_version:
        return {}
    shapes: Section = {"min_shape": [1], "opt_shape": [8], "max_shape": [16]}
    if wanted.sequence_length is not None:
        length, longest = wanted.sequence_length, wanted.data["max_tokens"]
        shapes = {"min_shape": [1, min(8, length)], "opt_shape": [8, length], "max_shape": [32, longest]}
    rows = {"fp16": "fp16", **({"int8": "int8"} if wanted.attends else {})}
    return {
        name: {"library": "tensorrt_rtx", "version": wanted.engine_version, "onnx": onnx, **shapes}
        for name, onnx in rows.items()
    }


def _candidates(wanted: Wanted, workloads: list[str]) -> Section:
    loaded = {
        "harness": ("harness", "checkpoint"),
        "torch-fp32": ("pytorch-cpu", "checkpoint"),
        "ort-fp32": ("ort-cpu", "onnx/fp32"),
        **({"ort-int8-dynamic": ("ort-cpu", "onnx/int8-dynamic")} if wanted.attends else {}),
        "ort-int8": ("ort-cpu", "onnx/int8"),
        "openvino-fp32": ("openvino-cpu", "onnx/fp32"),
        "openvino-int8": ("openvino-cpu", "onnx/int8"),
        **{f"rtx-{name}": ("rtx", f"engines/{name}") for name in _engines(wanted)},
    }
    return {
        name: {"backend": backend, "loads": loads, "workloads": workloads} for name, (backend, loads) in loaded.items()
    }


def sections(wanted: Wanted) -> Section:
    """The whole of params.yaml, for `temper.study.read_study`."""
    kind = "transformer" if wanted.attends else "other"
    alpha = 0.95 if wanted.attends else None  # of SmoothQuant, which is for transformers
    sizes = {"b1": {"batch_size": 1}, "b8": {"batch_size": 8}}
    if wanted.sequence_length is not None:
        length = wanted.sequence_length
        sizes = {f"{name}-s{length}": {**size, "sequence_length": length} for name, size in sizes.items()}
    dynamic = {"int8-dynamic": {"step": "int8_dynamic", "onnx": "fp32", "per_channel": True}} if wanted.attends else {}
    half = {"fp16": {"step": "fp16", "onnx": "fp32", "keep_in_fp32": []}} if wanted.engine_version else {}
    return {
        "study": wanted.name,
        "seed": SEED,
        "data": wanted.data,
        "model": {
            "task": wanted.task,
            "source": "checkpoint",
            "checkpoint": wanted.checkpoint,
            "revision": None,
        },
        "train": _train(wanted),
        "onnx_external_data": False,
        "exports": {"fp32": {"opset": 20, "max_logit_difference": 1.0e-3}},
        "calibration_methods": {
            "nncf": {
                "preset": "performance",
                "model_type": kind,
                "fast_bias_correction": True,
                "smooth_quant_alpha": alpha,
            }
        },
        "calibrations": {
            "main": {"method": "nncf", "samples": wanted.data["calibration_rows"], "rows": "drawn", "onnx": "fp32"}
        },
        "precisions": {**half, **dynamic},
        "calibrated_precisions": {
            "int8": {
                "step": "int8_static",
                "onnx": "fp32",
                "calibration": "main",
                "per_channel": True,
                "symmetric_activations": True,
                "quantize_bias": not wanted.attends,  # ONNX Runtime's INT8 convolutions want it
                "quantize_outputs": True,
                "keep_in_float": [],
            }
        },
        "searches": {},
        "searched_precisions": {},
        "quantization_aware": {},
        "buckets": {},
        "engines": _engines(wanted),
        "bucketed_engines": {},
        "backends": _backends(wanted),
        "workloads": sizes,
        "measurement": {
            "warmup_runs": 10,
            "calls_per_turn": 5,
            "min_calls": 130,
            "max_calls": 5000,
            "min_duration_s": 1.0,
            "max_duration_s": 10.0,
            "relative_half_width": 0.02,
            "busy_share": 0.05,
            "quiet_wait_s": 600.0,
            "resamples": 1000,
            "percentiles": [50, 95],
            "distinct_batches": 16,
            "alone_calls": 50,
            "throughput_callers": [1, 2],
            "throughput_duration_s": 0.5,
            "accuracy_batch_size": 8,
        },
        "analysis": {"latency_margin": 0.05, "accuracy_budget_points": 0.5},
        "baseline": {"backend": "pytorch-cpu", "loads": "checkpoint"},
        "candidates": _candidates(wanted, list(sizes)),
        "load_tests": {},
    }


def _flow(value: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=ParamsDumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6
    )
    return text.removesuffix("...\n").strip()


def as_yaml(content: Mapping[str, Any], title: str) -> str:
    """The text of params.yaml: a row in a line, and what each section is for.

    Args:
        content: what `sections` gives.
        title: a line for the head of the file.
    """
    lines = [f"# {title}"]
    for key, value in content.items():
        comment = f"  # {COMMENTS[key]}" if key in COMMENTS else ""
        is_section = isinstance(value, Mapping) and bool(value)
        if is_section:
            lines.append("")
        if not is_section or key in ("model", "analysis", "baseline"):
            lines.append(f"{key}: {_flow(value)}{comment}")
        else:
            lines.append(f"{key}:{comment}")
            lines += [f"  {_flow(name)}: {_flow(row)}" for name, row in value.items()]
    return "\n".join(lines) + "\n"
