"""The space of a search: every point that this machine, this graph and this workload allow. Nothing is named by hand.

A point is an artifact on a backend with its options, as ordinary entries of params.yaml. Its rows say how the artifact is made:
graph steps that apply to this graph (temper/optimize/applies.py tried them), calibration recipes on top, backends and
precisions that this machine runs.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from temper.engines.hardware import FP8_CAPABILITY
from temper.environment.devices import compute_capabilities, nvidia_gpus
from temper.environment.machine import machine as this_machines_facts
from temper.environment.processor import processor_features
from temper.lengths.buckets.limits import Lengths
from temper.lengths.trimming import PAD_TO_MULTIPLE_OF
from temper.measurement.timed_inputs import has_real_lengths
from temper.optimize.gpu_space import OPSETS, gpu_space
from temper.optimize.points import Point, Row
from temper.optimize.steps import GRAPH_STEPS, PACKING

_CALIBRATED = (
    "",
    "read_token",
)  # what calibration starts from: the export, and the last step before others rewrite products
# OpenVINO takes 16 bits where the processor multiplies in them; elsewhere it would convert to and fro
_FEATURES = {"bf16": ("avx512_bf16", "amx_bf16"), "f16": ("avx512_fp16", "amx_fp16")}


@dataclass(frozen=True)
class Machine:
    """What this machine can run.

    Attributes:
        cores: that may be used.
        precisions: OpenVINO's words for the 16-bit formats in which its processor multiplies.
        gpus: NVIDIA's.
        fp8: whether each of them multiplies FP8.
    """

    cores: int
    precisions: tuple[str, ...]
    gpus: int
    fp8: bool = False


@dataclass(frozen=True)
class Space:
    """Points with the rows of params.yaml that make what they load.

    Attributes:
        points: those that are raced from the start.
        conversions: rows by name.
        calibrations: rows by name.
        engines: rows by name.
        exports: rows by name, beside the one that everything starts from.
    """

    points: tuple[Point, ...]
    conversions: Mapping[str, Row]
    calibrations: Mapping[str, Row]
    engines: Mapping[str, Row]
    exports: Mapping[str, Row]

    @property
    def artifacts(self) -> list[str]:
        """What has to be made: onnx/<row> and engines/<row>, in the order of the points that want them first."""
        wanted = dict.fromkeys(point.loads for point in self.points)
        return [each for each in wanted if each.partition("/")[2] in {**self.conversions, **self.engines}]


def this_machine() -> Machine:
    """What is here."""
    features = processor_features()
    words = tuple(word for word, names in _FEATURES.items() if features & set(names))
    gpus, fp8 = len(nvidia_gpus()), min(compute_capabilities(), default=(0, 0)) >= FP8_CAPABILITY
    return Machine(int(this_machines_facts()["cores_usable"]), words, gpus, fp8)


def graph_rows(export: str, applied: Sequence[str]) -> dict[str, Row]:
    """A row for each graph step that applies, each on the one before.

    Args:
        export: the row of `exports:` that the first starts from.
        applied: names of steps, in the order of GRAPH_STEPS.
    """
    rows, before = {}, export
    for step in applied:
        rows[GRAPH_STEPS[step]] = {"step": step, "onnx": before}
        before = GRAPH_STEPS[step]
    return rows


def _int8_rows(export: str, applied: Sequence[str], text: bool) -> tuple[dict[str, Row], dict[str, Row]]:
    """INT8 rows on what calibration starts from, and their calibrations."""
    conversions: dict[str, Row] = {"int8-dynamic": {"step": "int8_dynamic", "onnx": export}}
    calibrations: dict[str, Row] = {}
    for step in _CALIBRATED:
        if step and step not in applied:
            continue
        base, calibration = (GRAPH_STEPS[step], GRAPH_STEPS[step]) if step else (export, "main")
        ending = f"-{base}" if step else ""
        calibrations[calibration] = {"onnx": base}
        conversions[f"int8{ending}"] = {"step": "int8_static", "onnx": base, "calibration": calibration}
        if text:  # attention's own two products stay in float: the 16-bit units take them
            name = "int8-fast" if step == "read_token" else f"int8-products{ending}"  # the row of defaults.yaml
            conversions[name] = {
                **{"step": "int8_static", "onnx": base, "calibration": calibration},
                "keep_in_float": ["node_*"],
            }
    return conversions, calibrations


def _cpu_backends(machine: Machine, *, trims: bool) -> dict[str, tuple[Row, str]]:
    """Backends of ONNX files by what tells them apart, with the name of those that answer alike."""
    found: dict[str, tuple[Row, str]] = {}
    trimming, ending = ({"trim_padding": True}, "-trimmed") if trims else ({}, "")
    for precision in (*machine.precisions, "f32"):
        for shapes in ("static", "dynamic"):
            options = {"inference_precision": precision, "shapes": shapes, "threads": machine.cores, **trimming}
            found[f"openvino-{precision}-{shapes}{ending}"] = (
                {"runner": "openvino", "options": options},
                f"openvino-{precision}",
            )
    own = {"intra_op_threads": machine.cores, **trimming}
    found[f"ort{ending}"] = ({"runner": "onnxruntime", "options": own}, "ort")
    return found


def _checkpoint_backends(machine: Machine, *, text: bool) -> dict[str, Row]:
    """PyTorch's own ways on the CPU."""
    modes = [("float32", "eager"), ("float32", "torchscript"), ("float32", "dynamic_int8")]
    if text:
        modes.append(("float32", "unpadded"))
    if "bf16" in machine.precisions:
        modes.append(("bfloat16", "eager"))
    return {
        f"torch-{dtype}-{mode}".replace("_", "-"): {
            "runner": "pytorch",
            "options": {"dtype": dtype, "mode": mode, "threads": machine.cores},
        }
        for dtype, mode in modes
    }


def _packed_rows(
    export: str, int8: Mapping[str, Row], applied: Sequence[str], longest: int | None
) -> tuple[dict[str, Row], set[str]]:
    """Rows that hold sentences end to end, of as many tokens as the longest sentence, and twice that; and those of them in INT8.

    They are as short as a call's sentences allow: a processor is not told its shapes beforehand.

    The step reads the classifier's token itself, so that it is put on the export, and on what was calibrated on that. Without
    its guard OpenVINO computes attention as one.
    """
    if PACKING not in applied or longest is None:
        return {}, set()
    # ranges from each batch change with what lies in a row
    calibrated = [name for name, row in int8.items() if row["onnx"] == export and row["step"] == "int8_static"]
    starts = {export: "", **{name: f"-{name}" for name in calibrated}}
    rows = {  # the shorter ones by the names that they have in defaults.yaml
        f"{named}{ending}": {
            **{"step": PACKING, "onnx": name, "row_tokens": tokens},
            "pad_to_multiple_of": PAD_TO_MULTIPLE_OF,
        }
        for named, tokens in (("packed", longest), (f"packed-{2 * longest}", 2 * longest))
        for name, ending in starts.items()
    }
    if "unguarded_softmax" in applied:
        ending = GRAPH_STEPS["unguarded_softmax"]
        rows |= {f"{name}-{ending}": {"step": "unguarded_softmax", "onnx": name} for name in rows}
    return rows, {name for name in rows if "-int8" in name}


def space(
    *,
    export: str,
    applied: Sequence[str],
    machine: Machine,
    longest: int | None,
    workload: Mapping[str, Any],
    throughput: bool = False,
    opset: int = OPSETS[0],
    lengths: Lengths | None = None,
    masked: bool = True,
) -> Space:
    """Every point of a search.

    Args:
        export: the row of `exports:` that everything starts from.
        applied: steps that apply to it, those of GRAPH_STEPS in their order.
        machine: what runs here.
        longest: most tokens of a row of the data; None for images.
        workload: its row; padding is packed away where its rows keep their lengths.
        throughput: whether samples per second are asked for: then each point comes with a caller for each core, too.
        opset: of the export.
        lengths: tokens of each row of a split, int64 [rows], for engines' shapes; None for images, and before it is known.
        masked: whether the inputs say what is padding: else nothing can be trimmed.
    """
    if machine.gpus:
        return _on_a_gpu(export, opset, applied, workload, longest, lengths, machine.fp8)
    text = longest is not None
    conversions = graph_rows(export, [step for step in applied if step in GRAPH_STEPS])
    int8, calibrations = _int8_rows(export, applied, text)
    files = [*int8, export, *conversions]
    one_token = GRAPH_STEPS["read_token"]
    files.sort(key=lambda name: (name not in int8, one_token not in (name, int8.get(name, {}).get("onnx"))))
    conversions |= int8
    packed, eight_bits = dict[str, Row](), {*int8}
    if workload["batch_size"] > 1:
        packed, others = _packed_rows(export, int8, applied, longest)
        eight_bits |= others
    trims = text and masked and not has_real_lengths(workload)  # real lengths have no columns of padding alone
    padded = _cpu_points(machine, files, eight_bits, trims=trims)
    points = [*_cpu_points(machine, list(packed), eight_bits, trims=False), *padded, *_torch_points(machine, text=text)]
    points.sort(key=lambda point: not point.low_precision)
    conversions |= packed
    if throughput and machine.cores > 1:
        points = [each for point in points for each in (_crowd(point, machine), point)]
    return Space(tuple(points), conversions, calibrations, {}, {})


def _on_a_gpu(
    export: str,
    opset: int,
    applied: Sequence[str],
    workload: Mapping[str, Any],
    longest: int | None,
    lengths: Lengths | None,
    fp8: bool,
) -> Space:
    int8, calibrations = _int8_rows(export, (), longest is not None)
    del int8["int8-dynamic"]  # TensorRT computes that file in float
    found = gpu_space(
        export=export,
        opset=opset,
        applied=applied,
        int8=list(int8),
        workload=workload,
        longest=longest,
        lengths=lengths,
        packing=PACKING,
        fp8=fp8,
    )
    made, calibrations = {**found.conversions, **int8}, {**calibrations, **found.calibrations}
    return Space(tuple(found.points), made, calibrations, found.engines, found.exports)


def _cpu_points(machine: Machine, files: Sequence[str], int8: Set[str], *, trims: bool) -> list[Point]:
    return [
        Point(f"{backend}--{name}", f"onnx/{name}", row, f"{alike}--{name}", name in int8)
        for backend, (row, alike) in _cpu_backends(machine, trims=trims).items()
        for name in files
        if not (name == "int8-dynamic" and row["runner"] == "openvino")  # it computes that file in float
        # and INT8 files under this hint a thousand times slower than under BF16's
        if not (name in int8 and row["options"].get("inference_precision") == "f16")
    ]


def _torch_points(machine: Machine, *, text: bool) -> list[Point]:
    return [
        Point(name, "checkpoint", row, name, row["options"]["mode"] == "dynamic_int8")
        for name, row in _checkpoint_backends(machine, text=text).items()
    ]


_THREADS = {
    "openvino": "threads",
    "onnxruntime": "intra_op_threads",
    "pytorch": "threads",
}  # each runner's word for them


def _crowd(point: Point, machine: Machine) -> Point:
    """The same with a caller of one thread for each core."""
    options = {**point.backend["options"], _THREADS[point.backend["runner"]]: 1}
    return replace(
        point,
        name=f"{point.name}-{machine.cores}-callers",
        backend={**point.backend, "options": options},
        callers=machine.cores,
    )


def variants(point: Point, machine: Machine) -> list[Point]:
    """The same artifact on the same backend with the processor shared out otherwise: raced once a point leads."""
    found: dict[str, Row] = {}
    key = _THREADS.get(point.backend["runner"])
    if key is None or point.backend.get("gpus") or machine.gpus:
        return []
    if machine.cores > 1 and point.callers == 1:
        found |= {f"{count}-threads": {key: count} for count in {1, machine.cores // 2} - {machine.cores}}
    if key == "intra_op_threads":
        found |= {"spinning": {"spinning": True}, "extended": {"graph_optimization": "extended"}}
    return [
        replace(
            point,
            name=f"{point.name}-{name}",
            backend={**point.backend, "options": {**point.backend["options"], **options}},
        )
        for name, options in found.items()
    ]


def most_points(points: Sequence[Point], machine: Machine) -> int:
    """How many points a search may come to race at most, variants of each included."""
    return len(points) + sum(len(variants(point, machine)) for point in points)
