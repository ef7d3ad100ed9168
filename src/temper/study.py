"""The closed schema of params.yaml, and the checks between its rows. Only planning imports this module.

No key has a default: a removed key is an error that names it. What belongs to one file (a backend's options, a
calibration method's) is checked by that file's own `Options`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from temper import plugins
from temper.errors import ConfigError
from temper.model_options import ArchitectureModel, CheckpointModel
from temper.signature import BATCH_AXIS, DYNAMIC_AXES, SEQUENCE_AXIS

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"  # row names become file names
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Shape = tuple[PositiveInt, ...]


def _percentile(value: float) -> float:
    if not 0 < value < 100:
        raise ValueError("a percentile lies between 0 and 100")
    return value


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExportRow(_Closed):
    """An ONNX file out of the checkpoint."""

    opset: Annotated[int, Field(ge=18, le=24)]
    max_logit_difference: PositiveFloat  # largest difference from PyTorch that still counts as parity


class CalibrationRow(_Closed):
    """A calibration cache: activation ranges of one ONNX file."""

    method: str
    samples: PositiveInt
    onnx: Name


class EngineRow(_Closed):
    """A TensorRT engine out of an ONNX file; shapes give the dynamic axes in order (batch, then sequence)."""

    library: str
    version: str
    onnx: Name
    min_shape: Shape
    opt_shape: Shape
    max_shape: Shape


class BackendRow(_Closed):
    """An inference backend with its settings."""

    runner: str
    version: str
    gpus: Annotated[int, Field(ge=0)]
    options: dict[str, Any]


class Measurement(_Closed):
    """How every candidate is measured."""

    warmup_runs: Annotated[int, Field(ge=0)]
    min_timed_runs: PositiveInt
    min_duration_s: PositiveFloat
    percentiles: Annotated[tuple[Annotated[float, AfterValidator(_percentile)], ...], Field(min_length=1)]
    distinct_batches: PositiveInt  # seeded batches of test rows that are timed in turn
    accuracy_batch_size: PositiveInt


class CandidateRow(_Closed):
    """One artifact on one backend: what is measured."""

    backend: Name
    loads: Annotated[str, Field(pattern=r"^(checkpoint|(onnx|engines)/[A-Za-z0-9][A-Za-z0-9_.-]*)$")]
    workloads: Annotated[tuple[Name, ...], Field(min_length=1)]


class Study(_Closed):
    """One model on one data set: the whole of params.yaml."""

    study: Name
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    data: dict[str, Any]  # closed by temper/data/<source>.py
    model: Annotated[ArchitectureModel | CheckpointModel, Field(discriminator="source")]
    train: dict[str, Any]  # closed by temper/training/<method>.py
    onnx_external_data: bool  # weights beside the graph: needed above 2 GB
    exports: Annotated[dict[Name, ExportRow], Field(min_length=1)]
    calibration_methods: dict[str, dict[str, Any]]  # options of each method in use; closed by its file
    calibrations: dict[Name, CalibrationRow]
    precisions: dict[Name, dict[str, Any]]  # step, onnx, calibration where needed; the rest closed by its file
    engines: dict[Name, EngineRow]
    backends: Annotated[dict[Name, BackendRow], Field(min_length=1)]
    workloads: Annotated[dict[Name, dict[Literal["batch_size", "sequence_length"], PositiveInt]], Field(min_length=1)]
    measurement: Measurement
    baseline: Name
    candidates: Annotated[dict[Name, CandidateRow], Field(min_length=1)]


def _error(happened: str, fix: str) -> ConfigError:
    return ConfigError(
        asked="read params.yaml and plan the study", happened=happened, spoiled="nothing: no job was started", fix=fix
    )


def _explain(error: ValidationError, place: str) -> ConfigError:
    """The first few findings of pydantic, each with the key's full path."""
    lines = []
    for finding in error.errors()[:5]:
        where = ".".join(str(part) for part in (place, *finding["loc"]) if part not in ("", "architecture", "checkpoint"))
        found = finding.get("input")
        shown = "" if finding["type"] in ("missing", "extra_forbidden") else f" (found {str(found)[:80]!r})"
        text = {"missing": "is missing", "extra_forbidden": "is an unknown key"}.get(finding["type"], finding["msg"])
        lines.append(f"{where} {text}{shown}")
    fix = "correct the key in params.yaml; no key has a default, and docs/params.md describes each"
    if any("2e-" in line or "number" in line for line in lines):
        fix += " (YAML reads 2e-5 as text: write 2.0e-5)"
    return _error("; ".join(lines), fix)


def _check_options(folder: str, name: str, section: Mapping[str, Any], place: str, key: str) -> Any:
    """Check a section against the `Options` of the file it names, and return that module."""
    known = plugins.names(folder)
    if name not in known:
        raise _error(f"{place}.{key} is {name!r}, which is not one of {', '.join(known)}", f"choose one of these, or \
add src/temper/{folder}/{name}.py (CONTRIBUTING.md)")
    module = plugins.load(folder, name)
    try:
        module.Options.model_validate(dict(section))
    except ValidationError as error:
        raise _explain(error, place) from None
    return module


def _need(row: str, rows: Iterable[str], place: str, what: str) -> None:
    rows = sorted(rows)
    if row not in rows:
        raise _error(f"{place} names {row!r}, but there is no such row in {what} (there are: {', '.join(rows) or 'none'})",
                     f"add the row to {what}, or name one that is there")


def _chosen(section: Mapping[str, Any], key: str, place: str) -> str:
    value = section.get(key)
    if not isinstance(value, str):
        raise _error(f"{place}.{key} is missing" if value is None else f"{place}.{key} is {value!r}, not a name",
                     f"set {place}.{key} in params.yaml (docs/params.md)")
    return value


def precision_options(row: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a precision's row that belongs to its step: all but the links to other rows."""
    return {key: value for key, value in row.items() if key not in ("step", "onnx", "calibration")}


def _check_data(study: Study) -> None:
    module = _check_options("data", _chosen(study.data, "source", "data"), study.data, "data", "source")
    options = module.Options.model_validate(study.data)
    text = study.model.task == "text-classification"
    if text != (options.max_tokens is not None):
        raise _error(f"data.max_tokens is {options.max_tokens} for the task {study.model.task}",
                     "text needs a number of tokens, images need null")
    rows = getattr(options, "train_rows", None)
    if rows is not None and options.calibration_rows + (options.validation_rows or 0) > rows:
        raise _error(f"data.calibration_rows + data.validation_rows is {options.calibration_rows} + "
                     f"{options.validation_rows or 0}, more than the {rows} train rows they are drawn from",
                     "ask for fewer, or make data.train_rows larger")
    for name, calibration in study.calibrations.items():
        if calibration.samples > options.calibration_rows:
            raise _error(f"calibrations.{name}.samples is {calibration.samples}, more than the "
                         f"{options.calibration_rows} rows of data.calibration_rows",
                         "ask for fewer samples, or make data.calibration_rows larger")


def _check_training(study: Study) -> None:
    section = dict(study.train)
    _check_options("training", _chosen(section, "method", "train"), section, "train", "method")


def _check_onnx(study: Study) -> None:
    onnx_rows = {**study.exports, **study.precisions}
    for name in set(study.exports) & set(study.precisions):
        raise _error(f"{name!r} is a row of both exports and precisions; both would be artifacts/onnx/{name}/",
                     "rename one of the two")
    for name, calibration in study.calibrations.items():
        _need(calibration.onnx, onnx_rows, f"calibrations.{name}.onnx", "exports or precisions")
        options = study.calibration_methods.get(calibration.method)
        if options is None and calibration.method in plugins.names("calibration"):
            raise _error(f"calibrations.{name}.method is {calibration.method!r}, but calibration_methods has no such row",
                         f"add calibration_methods.{calibration.method} with its options")
        _check_options("calibration", calibration.method, options or {}, f"calibration_methods.{calibration.method}"
                       if options is not None else f"calibrations.{name}", "method")
    for method, options in study.calibration_methods.items():
        _check_options("calibration", method, options, f"calibration_methods.{method}", "<name>")
    for name, row in study.precisions.items():
        place = f"precisions.{name}"
        step = _chosen(row, "step", place)
        module = _check_options("precisions", step, precision_options(row), place, "step")
        _need(_chosen(row, "onnx", place), onnx_rows, f"{place}.onnx", "exports or precisions")
        if module.NEEDS_CALIBRATION:
            _need(_chosen(row, "calibration", place), study.calibrations, f"{place}.calibration", "calibrations")
            used = study.calibrations[row["calibration"]]
            if used.onnx != row["onnx"]:
                raise _error(f"{place} starts from onnx/{row['onnx']}, but its calibration {row['calibration']!r} holds the "
                             f"ranges of onnx/{used.onnx}", "calibrate the ONNX row that the precision starts from")
        elif "calibration" in row:
            raise _error(f"{place}.calibration is given, but the step {step} reads no calibration cache",
                         "remove the key, or choose a static step")
        _check_chain(study, name)


def _check_chain(study: Study, name: str) -> None:
    seen = [name]
    while (row := study.precisions.get(seen[-1])) is not None:
        if row.get("onnx") in seen:
            raise _error(f"precisions {' → '.join([*seen, row['onnx']])} start from each other",
                         "let one of them start from a row of exports")
        seen.append(str(row.get("onnx")))


def _check_engines(study: Study) -> None:
    axes = DYNAMIC_AXES[study.model.task]
    for name, engine in study.engines.items():
        place = f"engines.{name}"
        known = plugins.names("engines")
        if engine.library not in known:
            raise _error(f"{place}.library is {engine.library!r}, which is not one of {', '.join(known)}",
                         "choose one of these (CONTRIBUTING.md says how to add one)")
        _need(engine.onnx, {**study.exports, **study.precisions}, f"{place}.onnx", "exports or precisions")
        shapes = engine.min_shape, engine.opt_shape, engine.max_shape
        if any(len(shape) != len(axes) for shape in shapes):
            raise _error(f"{place} has shapes {[list(shape) for shape in shapes]}, but the dynamic axes are {list(axes)}",
                         f"give {len(axes)} number(s) in each of min_shape, opt_shape and max_shape")
        if not all(low <= best <= high for low, best, high in zip(*shapes, strict=True)):
            raise _error(f"{place}: min_shape {list(shapes[0])}, opt_shape {list(shapes[1])} and max_shape "
                         f"{list(shapes[2])} are not in order", "let min ≤ opt ≤ max hold on every axis")


def _check_measured(study: Study) -> None:
    axes = DYNAMIC_AXES[study.model.task]
    for name, sizes in study.workloads.items():
        if set(sizes) != set(axes):
            raise _error(f"workloads.{name} gives {sorted(sizes)}, but a workload of {study.model.task} has {list(axes)}",
                         "give exactly these sizes")
        longest = study.data["max_tokens"]
        if longest is not None and sizes[SEQUENCE_AXIS] > longest:
            raise _error(f"workloads.{name}.sequence_length is {sizes[SEQUENCE_AXIS]}, longer than data.max_tokens "
                         f"({longest}): no row could fill it", "shorten the workload or raise data.max_tokens")
    for name, backend in study.backends.items():
        _check_options("backends", backend.runner, backend.options, f"backends.{name}", "runner")
    _need(study.baseline, study.candidates, "baseline", "candidates")
    for name, candidate in study.candidates.items():
        place = f"candidates.{name}"
        _need(candidate.backend, study.backends, f"{place}.backend", "backends")
        kind, _, row = candidate.loads.partition("/")
        if kind == "onnx":
            _need(row, {**study.exports, **study.precisions}, f"{place}.loads", "exports or precisions")
        elif kind == "engines":
            _need(row, study.engines, f"{place}.loads", "engines")
        runner = study.backends[candidate.backend].runner
        accepts = plugins.load("backends", runner).ACCEPTS
        if kind not in accepts:
            raise _error(f"{place} loads {candidate.loads}, but the backend {runner} loads {' or '.join(accepts)}",
                         "name an artifact that the backend can load")
        for workload in candidate.workloads:
            _need(workload, study.workloads, f"{place}.workloads", "workloads")
        if kind == "engines":
            _check_fit(study, name, study.engines[row], row)


def _check_fit(study: Study, name: str, engine: EngineRow, row: str) -> None:
    axes = DYNAMIC_AXES[study.model.task]
    for workload in study.candidates[name].workloads:
        sizes = tuple(study.workloads[workload][axis] for axis in axes)  # type: ignore[index]
        if not all(low <= size <= high for low, size, high in zip(engine.min_shape, sizes, engine.max_shape, strict=True)):
            raise _error(f"candidates.{name} runs workload {workload!r} {list(sizes)}, outside the shapes of "
                         f"engines.{row} ({list(engine.min_shape)} to {list(engine.max_shape)})",
                         "widen the engine's shapes or drop the workload")


class _UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys in silence; here they are an error."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise _error(f"{key!r} stands twice, the second time at line {key_node.start_mark.line + 1}",
                         "rename or remove one of the two rows")
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def check_unique_keys(file: str | Path) -> None:
    """Refuse a params file in which a key stands twice.

    Raises:
        ConfigError: a key is repeated, or the file is not YAML.
    """
    try:
        yaml.load(Path(file).read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise _error(f"{file} is not valid YAML: {error}", "correct the line it names") from None
    except UnicodeDecodeError as error:
        raise _error(f"{file} is not UTF-8: {error}", "save it as UTF-8") from None


def read_study(section: Mapping[str, Any], files: Iterable[str | Path] = ()) -> Study:
    """Check the whole of params.yaml.

    Args:
        section: its content as Snakemake (or YAML) read it.
        files: the files it came from, checked for repeated keys.

    Raises:
        ConfigError: with the first few findings, each under its key's full path.
    """
    for file in files:
        check_unique_keys(file)
    try:
        study = Study.model_validate(dict(section))
    except ValidationError as error:
        raise _explain(error, "") from None
    _check_data(study)
    _check_training(study)
    _check_onnx(study)
    _check_engines(study)
    _check_measured(study)
    return study


__all__ = ["BATCH_AXIS", "Study", "check_unique_keys", "precision_options", "read_study"]
