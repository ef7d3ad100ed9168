"""Points on an NVIDIA GPU: engines of TensorRT-RTX out of every graph and precision, and what the GPU does without them."""

from collections.abc import Mapping, Sequence
from typing import Any

from temper.measurement.timed_inputs import PAD_TO_MULTIPLE_OF, has_real_lengths
from temper.optimize.points import Point, Row

BUCKETS = "lengths"  # the row of `buckets:` that engines for rows of many lengths take
_PROFILES = 7
# fused kernels of half the size: products in 16 bits, and what overflows there in BF16
_PRECISIONS = ("fp16", "bf16")
_TORCH = (("float16", "eager"), ("float16", "torchscript"), ("float16", "compile"), ("bfloat16", "compile"))


def buckets_of(workload: Mapping[str, Any], longest: int | None) -> dict[str, Row]:
    """The lengths that engines are built for where rows keep theirs; none for a fixed shape."""
    if not has_real_lengths(workload) or longest is None:
        return {}
    row = {"batch_size": workload["batch_size"], "profiles": _PROFILES, "multiple_of": min(PAD_TO_MULTIPLE_OF, longest)}
    return {BUCKETS: {**row, "split": "train", "cost": "tokens"}}


def gpu_space(
    files: Sequence[str], int8: Sequence[str], export: str, workload: Mapping[str, Any]
) -> tuple[list[Point], dict[str, Row], dict[str, Row]]:
    """Points, and the rows of conversions and engines that they load.

    Args:
        files: float ONNX rows that take padded batches, the export among them.
        int8: INT8 rows of these; what they leave in float stays FP32 (docs/quantising.md says why).
        export: the row that all start from.
        workload: its row.
    """
    conversions = {
        f"{name}-{precision}": {"step": precision, "onnx": name} for precision in _PRECISIONS for name in files
    }
    shapes = {"buckets": BUCKETS} if has_real_lengths(workload) else {}
    built = [*conversions, *int8, export]
    engines = {name: {"onnx": name, **shapes} for name in built}
    kinds: dict[str, Row] = {"rtx": {"runner": "tensorrt_rtx"}}
    if not has_real_lengths(workload) and "sequence_length" in workload:
        kinds["rtx-trimmed"] = {"runner": "tensorrt_rtx", "options": {"trim_padding": True}}
    points = [
        Point(f"{kind}--{name}", f"engines/{name}", row, f"rtx--{name}", name in int8)
        for name in built
        for kind, row in kinds.items()
    ]
    for dtype, mode in _TORCH:
        options = {"device": "cuda", "dtype": dtype, "mode": mode}
        name = f"torch-cuda-{dtype}-{mode}"
        points.append(Point(name, "checkpoint", {"runner": "pytorch", "gpus": 1, "options": options}, name))
    provider: Row = {"execution_provider": "CUDAExecutionProvider", "allow_cpu_fallback": True, "io_binding": True}
    cuda = {"runner": "onnxruntime", "gpus": 1, "options": {**provider, "cuda_graph": True}}
    points.append(Point(f"ort-cuda--{export}-fp16", f"onnx/{export}-fp16", cuda, f"ort-cuda--{export}-fp16"))
    return points, conversions, engines
