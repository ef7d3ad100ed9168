"""Points on an NVIDIA GPU: engines of TensorRT-RTX out of every graph and precision, and what the GPU does without them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from temper.lengths.buckets.limits import Lengths
from temper.optimize.gpu_shapes import packed_shapes, padded_shapes
from temper.optimize.points import Point, Row

# TensorRT writes graphs anew itself, so that `simplify` and `sanitize` make the same engines
STEPS = {"unguarded_softmax": "unguarded", "read_token": "one-token", "fuse_qkv": "one-product", "gelu_tanh": "tanh"}
# on packed rows, which read their tokens themselves; the mask as an addend is what TensorRT's own kernels take
PACKED_STEPS = {"gelu_tanh": "tanh", "fuse_qkv": "one-product", "additive_mask": "additive"}
OPSETS = (20, 23)  # attention as products and softmax, and as one operator: neither is the faster one everywhere
_ONE_OPERATOR = (
    23  # from this opset on exporters write attention as one, without the guard, with a mask that may be an addend
)
_TORCH = (("float16", "eager"), ("float16", "torchscript"), ("float16", "compile"), ("bfloat16", "compile"))
# of linear layers alone, and of all of attention: anything between the two is not fused (docs/decisions/0111)
_FP8 = {"fp8-linear": "float", "fp8-attention": "whole"}
_UNPADDED = (("float16", "unpadded"), ("float16", "unpadded-gelu-tanh"), ("bfloat16", "unpadded-fp8"))  # of texts


@dataclass
class GpuSpace:
    """Points, and the rows of params.yaml that make what they load.

    Attributes:
        points: those that are raced.
        exports: rows by name, beside the one that the search starts from.
        conversions: rows by name.
        calibrations: rows by name.
        engines: rows by name.
    """

    points: list[Point] = field(default_factory=list)
    exports: dict[str, Row] = field(default_factory=dict)
    calibrations: dict[str, Row] = field(default_factory=dict)
    conversions: dict[str, Row] = field(default_factory=dict)
    engines: dict[str, Row] = field(default_factory=dict)


def gpu_space(
    *,
    export: str,
    opset: int,
    applied: Sequence[str],
    int8: Sequence[str],
    workload: Mapping[str, Any],
    longest: int | None,
    lengths: Lengths | None,
    packing: str,
    fp8: bool,
) -> GpuSpace:
    """Every point.

    Args:
        export: the row of `exports:` that the search starts from.
        opset: of it.
        applied: steps that apply to it; to an export of another opset they apply, or what they make is 'not made'.
        int8: INT8 rows; what they leave in float stays FP32 (docs/quantising.md says why).
        workload: its row.
        longest: most tokens of a row of the data; None for images.
        lengths: tokens of each row of a split, int64 [rows]; None for images, and before the data is there: then no engine
            is among the points.
        packing: the step that sets sentences end to end.
        fp8: whether the GPUs multiply FP8.
    """
    found = GpuSpace()
    exports = {export: ""}
    if longest is not None:  # images have no attention
        exports |= {f"{export}-opset{other}": f"opset{other}-" for other in OPSETS if other != opset}
        found.exports = {name: {"opset": int(name.rpartition("opset")[2])} for name in list(exports)[1:]}
    shapes = {}
    if longest is not None and lengths is not None:
        shapes = {"static_shapes": padded_shapes(lengths, workload, longest)}
    whole = {
        name: (found.exports[name]["opset"] if name in found.exports else opset) >= _ONE_OPERATOR for name in exports
    }
    chains = {
        name: _chain(found, name, before, _steps(STEPS, applied, one_operator=whole[name]), STEPS)
        for name, before in exports.items()
    }
    if longest is None or lengths is not None:
        for name, files in chains.items():
            # fused kernels of half the size: products in 16 bits, and BF16 where FP16 overflows, of the first and the last graph
            precise = [(each, "fp16") for each in files] + [(each, "bf16") for each in {files[0]: 0, files[-1]: 0}]
            for each, precision in precise:
                _engine(found, _converted(found, each, precision), shapes)
            if name == export:
                for each in [*int8, name]:
                    _engine(found, each, shapes, low_precision=each in int8)
        packed, packs = dict[str, Any](), packing in applied and workload["batch_size"] > 1
        if longest is not None and lengths is not None and packs:
            packed = {"static_shapes": packed_shapes(lengths, workload, longest)}
        if fp8 and longest is not None:
            products = next(name for name in exports if not whole[name])
            quantized, packed_by = chains[products][-1], None
            if packs:  # packing starts from the export itself, and takes GELU's form alone in front of it
                forms = {step: f"export-{STEPS[step]}" for step in ("gelu_tanh",) if step in applied}
                quantized = _chain(found, products, exports[products], list(forms), forms)[-1]
                packed_by = {"step": packing, "row_tokens": longest}
            _fp8_engines(found, exports[products], quantized, packed or shapes, packed_by)
        if longest is not None and packed:
            for name, before in exports.items():
                base = f"{before}packed"
                found.conversions[base] = {"step": packing, "onnx": name, "row_tokens": longest}
                steps = _steps(PACKED_STEPS, applied, one_operator=whole[name])
                for each in _chain(found, base, f"{base}-", steps, PACKED_STEPS):
                    _engine(found, _converted(found, each, "fp16"), packed, trimmed=False)
    for dtype, mode in (*_TORCH, *(_UNPADDED if longest is not None else ())):
        options = {"device": "cuda", "dtype": dtype, "mode": mode}
        name = f"torch-cuda-{dtype}-{mode}"
        row: Row = {"runner": "pytorch", "gpus": 1, "options": options}
        found.points.append(Point(name, "checkpoint", row, name, mode.endswith("fp8")))
    provider: Row = {"execution_provider": "CUDAExecutionProvider", "allow_cpu_fallback": True, "io_binding": True}
    cuda = {"runner": "onnxruntime", "gpus": 1, "options": {**provider, "cuda_graph": True}}
    half = _converted(found, export, "fp16")
    found.points.append(Point(f"ort-cuda--{half}", f"onnx/{half}", cuda, f"ort-cuda--{half}"))
    found.points = sorted(reversed(found.points), key=_promise)
    return found


def _promise(point: Point) -> int:
    """Whom to open first: opening an engine takes seconds, and beside a fast incumbent one block puts most of the rest out.

    Eight bits come after 16: their answers may put them out, and PyTorch compiles theirs for half a minute.
    """
    if point.low_precision:
        return 3
    if "unpadded" in point.name:
        return 0
    if "packed" in point.loads:
        return 1
    return 2 if point.name.startswith("rtx-trimmed") else 3


def _steps(names: Mapping[str, str], applied: Sequence[str], *, one_operator: bool) -> list[str]:
    """Steps for a form of attention: one that does not apply would leave all behind it unmade. The mask is the last of all."""
    only = {"unguarded_softmax": not one_operator, "additive_mask": one_operator}
    return [step for step in names if only.get(step, True) and (step in applied or step == "additive_mask")]


def _chain(found: GpuSpace, start: str, before: str, steps: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """The row that a chain of graph steps starts from and those that it makes, each on the one before."""
    files = [start]
    for step in steps:
        name = f"{before}{names[step]}"
        found.conversions[name] = {"step": step, "onnx": files[-1]}
        files.append(name)
    return files


def _fp8_engines(found: GpuSpace, before: str, base: str, shapes: Mapping[str, Any], packing: Row | None) -> None:
    """Engines of a file in FP8, packed by this row of conversions or not.

    What is not FP8 is BF16: FP16 around FP8 answers NaN on TensorRT-RTX 1.6.1 (docs/install.md), and FP32 is not fused.
    """
    calibration = f"{before}ranges"
    found.calibrations[calibration] = {"onnx": base, "method": "minmax"}
    for ending, attention in _FP8.items():
        name = f"{before}{ending}"
        found.conversions[name] = {"step": "fp8", "onnx": base, "calibration": calibration, "attention": attention}
        if packing is not None:
            found.conversions[f"{before}packed-{ending}"] = {**packing, "onnx": name}
            name = f"{before}packed-{ending}"
        _engine(found, _converted(found, name, "bf16"), shapes, low_precision=True, trimmed=packing is None)


def _converted(found: GpuSpace, name: str, precision: str) -> str:
    """The row of a file's products in 16 bits."""
    found.conversions[f"{name}-{precision}"] = {"step": precision, "onnx": name}
    return f"{name}-{precision}"


def _engine(
    found: GpuSpace, name: str, shapes: Mapping[str, Any], *, low_precision: bool = False, trimmed: bool = True
) -> None:
    """An engine of a file, run as calls come and, where rows have padding, without the columns that hold nothing else."""
    found.engines[name] = {"onnx": name, **shapes}
    kinds: dict[str, Row] = {"rtx": {"runner": "tensorrt_rtx"}}
    if shapes and trimmed:
        kinds["rtx-trimmed"] = {"runner": "tensorrt_rtx", "options": {"trim_padding": True}}
    found.points += [
        Point(f"{kind}--{name}", f"engines/{name}", row, f"rtx--{name}", low_precision) for kind, row in kinds.items()
    ]
