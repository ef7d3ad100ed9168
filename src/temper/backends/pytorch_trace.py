"""What PyTorch executed: its modules, or what torch.profiler recorded, operators on the CPU and kernels on the GPU."""

import json
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.artifacts.signature import Tensors
from temper.backends.pytorch_modes import is_quantized
from temper.backends.trace import ExecutedLayer, Execution, precision_name

CALL = "temper: one call"  # a range in the profile; the call waits for its answer, so its kernels lie inside
NOT_LISTED = "not listed"  # the precision of what does not say
_NAME_LENGTH = 120  # of a kernel: names of templates have no end

_OPERATOR = re.compile(r"^\w+::")  # aten::addmm; ranges of dynamo and inductor have other names
_FUSED = re.compile(r"(^|_)fused_")  # a kernel that inductor or TorchScript generated: its name lists what is in it
_OPERATOR_PRODUCTS = (
    ("MatMul", re.compile(r"::(addmm|mm|bmm|baddbmm|matmul|linear|linear_dynamic|_?mkl_linear|_linear_pointwise)$")),
    ("Attention", re.compile(r"::\w*scaled_dot_product\w*$")),
    ("Convolution", re.compile(r"::\w*convolution\w*$|::conv\dd$")),
)
_NO_COMPUTATION = re.compile(  # views, memory that is taken, and what calls the operator that does the work
    r"^aten::(as_strided|view|_unsafe_view|reshape|_reshape_alias|empty|empty_like|empty_strided|t|transpose|permute|expand|"
    r"slice|select|unsqueeze|squeeze|detach|detach_|alias|resize_|unbind|split|chunk|lift_fresh|set_|unflatten|to|"
    r"contiguous|resolve_conj|resolve_neg)$"
)
_OPERATOR_TYPES = {"float": "FP32", "double": "FP64", "c10::Half": "FP16", "c10::BFloat16": "BF16"}

# Kernels say what they compute in by name only; the first that fits counts.
_KERNEL_PRECISIONS = (
    ("TF32", re.compile(r"tf32")),
    ("FP8", re.compile(r"e4m3|e5m2|fp8|float8|nvjet(_sm\d+)?_qq")),
    ("BF16", re.compile(r"bf16|bfloat16|nvjet(_sm\d+)?_t[st]t")),
    ("FP16", re.compile(r"f16|fp16|half|hgemm|nvjet(_sm\d+)?_h[sh]h")),
    ("FP32", re.compile(r"f32|fp32|float|sgemm|nvjet(_sm\d+)?_sss")),
)
_KERNEL_TYPES = (
    ("Attention", re.compile(r"flash|fmha|attention|sdpa")),
    ("Convolution", re.compile(r"conv(?!ert)|fprop|wgrad|winograd")),
    ("MatMul", re.compile(r"gemm|gemv|nvjet|cutlass|matmul|triton_tem|_mm_|cublas|splitk")),
)


def record_modules(model: Any) -> dict[str, ExecutedLayer]:
    """Hook every innermost module that owns parameters, and every quantised one.

    Returns:
        The layers that have been called since, by the module's name, in the order of their first call.
    """
    called: dict[str, ExecutedLayer] = {}

    def recorder(name: str, precision: str, device: str) -> Callable[[Any, Any], None]:
        def record(module: Any, inputs: Any) -> None:
            called[name] = ExecutedLayer(name, type(module).__name__, precision, device, time_ms=None)

        return record

    for name, module in model.named_modules():
        if is_quantized(module):  # its weights are packed, and no parameters
            module.register_forward_pre_hook(recorder(name, "INT8", "cpu"))
        elif not any(module.children()) and (parameter := next(module.parameters(), None)) is not None:
            precision = precision_name(str(parameter.dtype).removeprefix("torch."))
            module.register_forward_pre_hook(recorder(name, precision, str(parameter.device)))
    return called


@dataclass(frozen=True)
class Profile:
    """What torch.profiler recorded.

    Attributes:
        execution: layers, their times as means over the calls.
        graph_launches: CUDA graphs that were launched, over all calls.
    """

    execution: Execution
    graph_launches: int


def named_kernels(torch: Any) -> AbstractContextManager[None]:
    """While it is entered, this thread's compilations for the CPU make kernels that the profiler sees; they are slower."""
    from torch._inductor import config

    found: AbstractContextManager[None] = config.patch({"cpp.enable_kernel_profile": True})
    return found


def profiled(infer: Callable[[Tensors], Any], batches: Sequence[Tensors], *, cuda: bool) -> Profile:
    """Run every batch once under torch.profiler.

    Args:
        infer: returns when the answer is complete.
        batches: arrays of the signature by name, of shapes that were called before.
        cuda: whether to record the GPU's kernels; else the CPU's operators are.
    """
    import torch
    from torch.profiler import ProfilerActivity, profile, record_function

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        with profile(activities=activities, record_shapes=not cuda) as recorded:
            for batch in batches:
                with record_function(CALL):
                    infer(batch)
        file = Path(scratch) / "trace.json"
        recorded.export_chrome_trace(str(file))
        events = json.loads(file.read_text(encoding="utf-8"))["traceEvents"]
    device = torch.cuda.get_device_name() if cuda else "cpu"
    return read_profile(events, cuda=cuda, device=device)


def read_profile(events: Iterable[Mapping[str, Any]], *, cuda: bool, device: str) -> Profile:
    """What a profile in Chrome's trace format says was executed.

    Args:
        events: `traceEvents` of the profile; times in µs.
        cuda: whether kernels of the GPU are what is wanted; else the CPU's operators.
        device: in words.
    """
    events = [event for event in events if event.get("ph") == "X"]
    calls = sorted(
        (event["ts"], event["ts"] + event["dur"])
        for event in events
        if event.get("name") == CALL and event.get("cat") == "user_annotation"
    )
    chosen = _kernels(events) if cuda else _operators(events)
    times_ms: defaultdict[tuple[str, int], float] = defaultdict(float)
    first: dict[tuple[str, int], Mapping[str, Any]] = {}
    for start, end in calls:
        seen: Counter[str] = Counter()
        for event in chosen:
            if start <= event["ts"] <= end:
                key = (event["name"], seen[event["name"]])
                seen[event["name"]] += 1
                times_ms[key] += event["dur"] / 1e3
                first.setdefault(key, event)
    layers = tuple(
        ExecutedLayer(
            name=f"{name[:_NAME_LENGTH]} {number}",
            type=_kernel_type(name) if cuda else _operator_type(name),
            precision=kernel_precision(name) if cuda else _operator_precision(event),
            device=device,
            time_ms=times_ms[name, number] / len(calls),
            kernel=name[:_NAME_LENGTH],
        )
        for (name, number), event in first.items()
    )
    launches = sum("GraphLaunch" in event.get("name", "") for event in events)
    source = "torch.profiler: "
    if not cuda:
        source += "the CPU's operators: products whole, else those that call no other"
    elif layers:
        source += "kernels of the GPU, their precision as far as their names say it"
    else:
        source += "it listed no kernels of the GPU"
    if launches:
        source += f"; {launches / max(len(calls), 1):g} CUDA graphs launched in each call"
    return Profile(Execution(source=source, layers=layers), launches)


def _kernels(events: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Kernels and copies on the GPU, in the order of their start."""
    kinds = ("kernel", "gpu_memcpy", "gpu_memset")
    return sorted((event for event in events if event.get("cat") in kinds), key=lambda event: event["ts"])


def _operators(events: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Products with all that they call, and of the others those that call none and compute something; by their start."""
    by_thread: defaultdict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for event in events:
        name = event["name"]
        known = (_OPERATOR.search(name) and not _NO_COMPUTATION.search(name)) or _FUSED.search(name)
        if event.get("cat") == "cpu_op" and known:
            by_thread[event.get("pid"), event.get("tid")].append(event)
    found = []
    for thread in by_thread.values():
        thread.sort(key=lambda event: (event["ts"], -event["dur"]))
        inside_until = float("-inf")  # the end of the product that is being read
        for event, following in zip(thread, [*thread[1:], None], strict=True):
            end = event["ts"] + event["dur"]
            if event["ts"] < inside_until:
                continue
            if _is_product(event["name"]):
                inside_until = end
                found.append(event)
            elif following is None or following["ts"] >= end:
                found.append(event)
    return sorted(found, key=lambda event: event["ts"])


def _is_product(operator: str) -> bool:
    return any(words.search(operator) for _, words in _OPERATOR_PRODUCTS)


def _operator_type(name: str) -> str:
    """Fused kernels are no products: those stand beside them."""
    if not _OPERATOR.search(name):
        return "fused kernel"
    return next((kind for kind, words in _OPERATOR_PRODUCTS if words.search(name)), name)


def _operator_precision(event: Mapping[str, Any]) -> str:
    """Of the first floating-point tensor that an operator reads."""
    types = event.get("args", {}).get("Input type", [])
    return next((_OPERATOR_TYPES[word] for word in types if word in _OPERATOR_TYPES), NOT_LISTED)


def kernel_precision(name: str) -> str:
    """What a GPU kernel computes in, as far as its name says it: TF32, BF16, FP16, FP32, or 'not listed'."""
    word = name.lower()
    return next((precision for precision, words in _KERNEL_PRECISIONS if words.search(word)), NOT_LISTED)


def _kernel_type(name: str) -> str:
    word = name.lower()
    return next((kind for kind, words in _KERNEL_TYPES if words.search(word)), "Kernel")
