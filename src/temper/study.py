"""params.yaml checked as a whole: the closed schema, each choice's own options, and the links between rows.

Only planning imports this module. What belongs to one file (a backend's options, a calibration method's) is checked by
that file's own `Options`.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from temper import plugins
from temper.buckets.options import check_buckets
from temper.engines.checks import check_fit, check_shapes
from temper.errors import ConfigError
from temper.library import resolve_version
from temper.load_test.options import LoadTestRow, check_workload
from temper.measurement.timed_inputs import REAL_LENGTHS, has_real_lengths
from temper.params_file import check_unique_keys, params_error
from temper.quantization.aware_options import check_calibration
from temper.schema import (
    DYNAMIC_ENGINE,
    ENGINE_FORMS,
    PACKING_STEP,
    BaselineRow,
    BucketedEngineRow,
    CandidateRow,
    LabelRows,
    Study,
)
from temper.signature import BATCH_AXIS, DYNAMIC_AXES, SEQUENCE_AXIS

Schema = TypeVar("Schema", bound=BaseModel)
ENGINE_SECTIONS = "engines or bucketed_engines"
ONNX_SECTIONS = "exports, precisions, calibrated_precisions, searched_precisions or quantization_aware"


def _strictly(schema: type[Schema], section: Mapping[str, Any]) -> Schema:
    """Check a section with no conversion: text is no number (YAML reads 2e-5 as text), and true is not 1."""
    schema.model_validate(dict(section))  # keys of rows too: JSON would make text of every key
    return schema.model_validate_json(json.dumps(section, default=str), strict=True)


def _key_path(place: str, location: tuple[int | str, ...]) -> str:
    """The key's full path, without the kinds of model and preprocessor that pydantic puts among the keys."""
    # a value that may be of several types has pydantic's name of each in its path
    kinds = ("constrained-", "literal[", "LabelRows", "TransformerCost", *ENGINE_FORMS.values(), DYNAMIC_ENGINE)
    parts = [str(part) for part in location if not str(part).startswith(kinds)]
    if parts[:1] == ["model"]:
        if parts[2:3] == ["preprocessor"]:
            del parts[3:4]
        del parts[1:2]
    return ".".join([place, *parts] if place else parts)


def _explain(error: ValidationError, place: str) -> ConfigError:
    """The first few findings of pydantic, each with the key's full path."""
    lines = []
    for finding in error.errors()[:5]:
        where = _key_path(place, finding["loc"])
        found = finding.get("input")
        told = finding["type"] in ("missing", "extra_forbidden") or (
            isinstance(found, dict) and found
        )  # a section is no value
        shown = "" if told else f" (found {str(found)[:80]!r})"
        said = finding["msg"].removeprefix("Value error, ")  # pydantic's words before our own
        text = {"missing": "is missing", "extra_forbidden": "is an unknown key"}.get(finding["type"], said)
        lines.append(f"{where} {text}{shown}")
    fix = "correct the key in params.yaml; no key has a default, and docs/params.md describes each"
    if any("2e-" in line or "number" in line for line in lines):
        fix += " (YAML reads 2e-5 as text: write 2.0e-5)"
    return params_error("; ".join(lines), fix)


def _check_options(
    folder: str, name: str, section: Mapping[str, Any], place: str, key: str, section_place: str | None = None
) -> Any:
    """Check a section (at `place`, or where `section_place` says) against its file's `Options`; return that module."""
    known = plugins.names(folder)
    if name not in known:
        raise params_error(
            f"{place}.{key} is {name!r}, which is not one of {', '.join(known)}",
            f"choose one of these, or \
add src/temper/{folder}/{name}.py (CONTRIBUTING.md)",
        )
    module = plugins.load(folder, name)
    try:
        _strictly(module.Options, section)
    except ValidationError as error:
        raise _explain(error, section_place or place) from None
    return module


def _need(row: str, rows: Iterable[str], place: str, what: str) -> None:
    rows = sorted(rows)
    if row not in rows:
        raise params_error(
            f"{place} names {row!r}, but there is no such row in {what} (there are: {', '.join(rows) or 'none'})",
            f"add the row to {what}, or name one that is there",
        )


def _chosen(section: Mapping[str, Any], key: str, place: str) -> str:
    value = section.get(key)
    if not isinstance(value, str):
        raise params_error(
            f"{place}.{key} is missing" if value is None else f"{place}.{key} is {value!r}, not a name",
            f"set {place}.{key} in params.yaml (docs/params.md)",
        )
    return value


def precision_options(row: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a precision's row that belongs to its step: all but the links to other rows."""
    return {key: value for key, value in row.items() if key not in ("step", "onnx", "calibration", "search")}


def _check_data(study: Study) -> None:
    module = _check_options("data", _chosen(study.data, "source", "data"), study.data, "data", "source")
    options = module.Options.model_validate(study.data)
    text = study.model.task == "text-classification"
    if text != (options.max_tokens is not None):
        raise params_error(
            f"data.max_tokens is {options.max_tokens} for the task {study.model.task}",
            "text needs a number of tokens, images need null",
        )
    rows = getattr(options, "train_rows", None)
    if rows is not None and options.calibration_rows + (options.validation_rows or 0) > rows:
        raise params_error(
            f"data.calibration_rows + data.validation_rows is {options.calibration_rows} + "
            f"{options.validation_rows or 0}, more than the {rows} train rows they are drawn from",
            "ask for fewer, or make data.train_rows larger",
        )
    for name, calibration in study.calibrations.items():
        if calibration.samples > options.calibration_rows:
            raise params_error(
                f"calibrations.{name}.samples is {calibration.samples}, more than the "
                f"{options.calibration_rows} rows of data.calibration_rows",
                "ask for fewer samples, or make data.calibration_rows larger",
            )
        known = getattr(options, "label_names", getattr(module, "LABEL_NAMES", None))
        _check_calibration_rows(f"calibrations.{name}.rows", calibration.rows, text, known)


def _check_calibration_rows(place: str, rows: str | LabelRows, text: bool, label_names: Iterable[str] | None) -> None:
    """Rows that the task and, where the source says them before it is read, the labels have."""
    if isinstance(rows, LabelRows):
        if label_names is not None and rows.label not in label_names:
            raise params_error(
                f"{place}.label is {rows.label!r}, but the labels are {', '.join(label_names)}", "name one of these"
            )
    elif rows != "drawn" and not text:
        raise params_error(f"{place} is {rows}, but images have no tokens", "give drawn, or {label: <name>}")


def _check_training(study: Study) -> None:
    section = dict(study.train)
    _check_options("training", _chosen(section, "method", "train"), section, "train", "method")


def _check_onnx(study: Study) -> None:
    onnx_rows = study.onnx_rows
    for name in sorted(
        name
        for name, times in Counter(
            [
                *study.exports,
                *study.precisions,
                *study.calibrated_precisions,
                *study.searched_precisions,
                *study.quantization_aware,
            ]
        ).items()
        if times > 1
    ):
        raise params_error(
            f"{name!r} is a row of two of {ONNX_SECTIONS}; both would be artifacts/onnx/{name}/",
            "rename one of the two",
        )
    for name, calibration in study.calibrations.items():
        _need(calibration.onnx, onnx_rows, f"calibrations.{name}.onnx", ONNX_SECTIONS)
        options = study.calibration_methods.get(calibration.method)
        if options is None and calibration.method in plugins.names("calibration"):
            raise params_error(
                f"calibrations.{name}.method is {calibration.method!r}, but calibration_methods has no such row",
                f"add calibration_methods.{calibration.method} with its options",
            )
        _check_options(
            "calibration",
            calibration.method,
            options or {},
            f"calibration_methods.{calibration.method}" if options is not None else f"calibrations.{name}",
            "method",
        )
    for method, options in study.calibration_methods.items():
        _check_options("calibration", method, options, f"calibration_methods.{method}", "<name>")
    for section, calibrated in (("precisions", False), ("calibrated_precisions", True), ("searched_precisions", True)):
        for name, row in getattr(study, section).items():
            _check_conversion(study, section, name, row, calibrated)
    _check_packing(study)


def _check_packing(study: Study) -> None:
    longest = study.data["max_tokens"]
    for name, row in study.conversions.items():
        if row["step"] == PACKING_STEP and longest is not None and row["row_tokens"] < longest:
            raise params_error(
                f"precisions.{name}.row_tokens is {row['row_tokens']}, below data.max_tokens ({longest}): a sentence would "
                "not fit into a row",
                f"set it to {longest} or more",
            )
    for name, calibration in study.calibrations.items():
        if study.row_tokens(calibration.onnx) is not None:
            raise params_error(
                f"calibrations.{name}.onnx is {calibration.onnx!r}, which takes packed rows, and calibration runs padded ones",
                "calibrate the ONNX row that it was packed from",
            )


def _check_conversion(study: Study, section: str, name: str, row: Mapping[str, Any], calibrated: bool) -> None:
    place = f"{section}.{name}"
    step = _chosen(row, "step", place)
    module = _check_options("precisions", step, precision_options(row), place, "step")
    if calibrated != module.NEEDS_CALIBRATION:
        raise params_error(
            f"{place} has the step {step}, which reads {'a' if module.NEEDS_CALIBRATION else 'no'} calibration cache",
            f"move the row to {'calibrated_precisions' if module.NEEDS_CALIBRATION else 'precisions'}",
        )
    _need(_chosen(row, "onnx", place), study.onnx_rows, f"{place}.onnx", ONNX_SECTIONS)
    if calibrated:
        _need(_chosen(row, "calibration", place), study.calibrations, f"{place}.calibration", "calibrations")
        used = study.calibrations[row["calibration"]]
        if used.onnx != row["onnx"]:
            raise params_error(
                f"{place} starts from onnx/{row['onnx']}, but its calibration {row['calibration']!r} holds the "
                f"ranges of onnx/{used.onnx}",
                "calibrate the ONNX row that the precision starts from",
            )
    elif "calibration" in row:
        raise params_error(
            f"{place}.calibration is given, but the step {step} reads no calibration cache",
            "remove the key, or choose a static step",
        )
    _check_searched(study, section, row, place, module)
    _check_chain(study, name)


def _check_searched(study: Study, section: str, row: Mapping[str, Any], place: str, module: Any) -> None:
    if section != "searched_precisions":
        if "search" in row:
            raise params_error(
                f"{place}.search is given, but {section} reads no search", "move the row to searched_precisions"
            )
        return
    _need(_chosen(row, "search", place), study.searches, f"{place}.search", "searches")
    if "keep_in_float" not in module.Options.model_fields:
        raise params_error(
            f"{place} has the step {row['step']}, which keeps no layers in float",
            "move the row to calibrated_precisions, or choose a step with keep_in_float",
        )
    searched = study.searches[row["search"]]
    if searched.reference != row["onnx"]:
        raise params_error(
            f"{place} starts from onnx/{row['onnx']}, but its search {row['search']!r} chose layers of "
            f"onnx/{searched.reference}",
            "search in the ONNX row that the precision starts from",
        )


def _check_searches(study: Study) -> None:
    for name, search in study.searches.items():
        place = f"searches.{name}"
        _need(search.onnx, study.calibrated_precisions, f"{place}.onnx", "calibrated_precisions")
        made_from = study.calibrated_precisions[search.onnx].get("onnx")
        if made_from != search.reference:
            raise params_error(
                f"{place}.reference is {search.reference!r}, but {search.onnx} starts from {made_from!r}",
                f"set {place}.reference to {made_from}",
            )
        rows = study.data.get("validation_rows")
        if isinstance(rows, int) and search.rows > rows:
            raise params_error(
                f"{place}.rows is {search.rows}, more than the {rows} rows of data.validation_rows",
                "ask for fewer rows, or make data.validation_rows larger",
            )


def _check_quantization_aware(study: Study) -> None:
    for name, row in study.quantization_aware.items():
        place = f"quantization_aware.{name}"
        _need(row.onnx, study.exports, f"{place}.onnx", "exports")
        _need(row.calibration, study.calibrations, f"{place}.calibration", "calibrations")
        check_calibration(place, row, study.calibrations[row.calibration].onnx)


def _check_chain(study: Study, name: str) -> None:
    seen = [name]
    while (row := study.conversions.get(seen[-1])) is not None:
        if row.get("onnx") in seen:
            raise params_error(
                f"the precisions {' → '.join([*seen, row['onnx']])} start from each other",
                "let one of them start from a row of exports",
            )
        seen.append(str(row.get("onnx")))


def _check_engines(study: Study) -> None:
    for name, buckets in study.buckets.items():
        check_buckets(f"buckets.{name}", buckets, study.data["max_tokens"])
    both = sorted(study.engines.keys() & study.bucketed_engines.keys())
    if both:
        raise params_error(
            f"{both[0]!r} is a row of {ENGINE_SECTIONS.replace(' or ', ' and ')}; both would be artifacts/engines/{both[0]}/",
            "rename one of the two",
        )
    for name, engine in study.engine_rows.items():
        place = f"{study.engine_section(name)}.{name}"
        known = plugins.names("engines")
        if engine.library not in known:
            raise params_error(
                f"{place}.library is {engine.library!r}, which is not one of {', '.join(known)}",
                "choose one of these (CONTRIBUTING.md says how to add one)",
            )
        _need(engine.onnx, study.onnx_rows, f"{place}.onnx", ONNX_SECTIONS)
        check_shapes(study, place, engine)
        if isinstance(engine, BucketedEngineRow):
            _need(engine.buckets, study.buckets, f"{place}.buckets", "buckets")


def _check_workload(study: Study, name: str, sizes: Mapping[str, int | str]) -> None:
    axes = DYNAMIC_AXES[study.model.task]
    place, longest = f"workloads.{name}", study.data["max_tokens"]
    if has_real_lengths(sizes):
        given = set(sizes) == {BATCH_AXIS, REAL_LENGTHS}
        if (
            longest is None
            or not given
            or isinstance(sizes[BATCH_AXIS], str)
            or not isinstance(sizes[REAL_LENGTHS], str)
        ):
            raise params_error(
                f"{place} gives {dict(sizes)}; real lengths are for text, and go with {BATCH_AXIS} alone",
                f"give {BATCH_AXIS} and {REAL_LENGTHS} (arrival or bucketed), or sizes for {list(axes)}",
            )
        return
    if set(sizes) != set(axes) or not all(isinstance(size, int) for size in sizes.values()):
        raise params_error(
            f"{place} gives {sorted(sizes)}, but a workload of {study.model.task} has {list(axes)}",
            "give exactly these sizes, as numbers",
        )
    if longest is not None and int(sizes[SEQUENCE_AXIS]) > longest:
        raise params_error(
            f"{place}.sequence_length is {sizes[SEQUENCE_AXIS]}, longer than data.max_tokens ({longest}): no row could fill it",
            "shorten the workload or raise data.max_tokens",
        )


def _check_loads(study: Study, place: str, row: CandidateRow | BaselineRow | LoadTestRow) -> None:
    """A row's backend and artifact exist, and go together."""
    _need(row.backend, study.backends, f"{place}.backend", "backends")
    kind, _, artifact = row.loads.partition("/")
    if kind == "onnx":
        _need(artifact, study.onnx_rows, f"{place}.loads", ONNX_SECTIONS)
    elif kind == "engines":
        _need(artifact, study.engine_rows, f"{place}.loads", ENGINE_SECTIONS)
    runner = study.backends[row.backend].runner
    accepts = plugins.load("backends", runner).ACCEPTS
    if kind not in accepts:
        raise params_error(
            f"{place} loads {row.loads}, but the backend {runner} loads {' or '.join(accepts)}",
            "name an artifact that the backend can load",
        )


def _check_measured(study: Study) -> None:
    for name, sizes in study.workloads.items():
        _check_workload(study, name, sizes)
    for name, backend in study.backends.items():
        place = f"backends.{name}"
        _check_options("backends", backend.runner, backend.options, place, "runner", f"{place}.options")
    _check_loads(study, "baseline", study.baseline)
    for name, candidate in study.candidates.items():
        place = f"candidates.{name}"
        _check_loads(study, place, candidate)
        for workload in candidate.workloads:
            _need(workload, study.workloads, f"{place}.workloads", "workloads")
        for row_place, row in ((place, candidate), ("baseline", study.baseline)):  # both are timed on its workloads
            kind, _, engine = row.loads.partition("/")
            if kind == "engines":
                check_fit(study, row_place, candidate.workloads, engine)
                _check_engine_version(study, row_place, row, engine)
    _check_references(study)
    for name, section in study.load_tests.items():
        _check_load_test(study, name, section)


def _check_load_test(study: Study, name: str, section: Mapping[str, Any]) -> None:
    place = f"load_tests.{name}"
    try:
        row = _strictly(LoadTestRow, section)
    except ValidationError as error:
        raise _explain(error, place) from None
    _check_loads(study, place, row)
    _need(row.workload, study.workloads, f"{place}.workload", "workloads")
    check_workload(row, study.workloads[row.workload])
    kind, _, engine = row.loads.partition("/")
    if kind == "engines":
        check_fit(study, place, (row.workload,), engine)
        _check_engine_version(study, place, row, engine)


def _check_references(study: Study) -> None:
    """Every study measures its own noise: the baseline against itself, and the null backend."""
    if not plugins.load("backends", study.backends[study.baseline.backend].runner).PREDICTS:
        raise params_error(
            f"baseline.backend is {study.baseline.backend}, whose runner computes nothing",
            "name a backend that answers: every candidate's latency and labels are held against the baseline's",
        )
    same = [
        row
        for row in study.candidates.values()
        if (row.backend, row.loads) == (study.baseline.backend, study.baseline.loads)
    ]
    if not same:
        raise params_error(
            f"no candidate is the baseline itself (backend {study.baseline.backend}, loads {study.baseline.loads})",
            "add it to candidates: its answers are what the others are held against, its ratio shows this machine's noise",
        )
    missing = sorted({name for row in study.candidates.values() for name in row.workloads} - set(same[0].workloads))
    if missing:
        raise params_error(
            f"the candidate that is the baseline itself does not run the workloads {', '.join(missing)}",
            "add them to its row: without them nobody knows which ratio this machine can tell from 1",
        )
    if not any(study.backends[row.backend].runner == "null" for row in study.candidates.values()):
        raise params_error(
            "no candidate runs on the null backend",
            "add one (backend with the runner 'null'): what it takes is the harness's own cost",
        )


def _check_engine_version(
    study: Study, place: str, row: CandidateRow | BaselineRow | LoadTestRow, engine_name: str
) -> None:
    """An engine runs with the library version that built it and with no other."""
    engine, backend = study.engine_rows[engine_name], study.backends[row.backend]
    library = plugins.load("backends", backend.runner).LIBRARY
    built, runs = resolve_version(library, engine.version), resolve_version(library, backend.version)
    if backend.runner == engine.library and built != runs:
        raise params_error(
            f"{place} runs {study.engine_section(engine_name)}.{engine_name}, built with {engine.library} {built}, on the "
            f"backend {row.backend}, which has version {runs}",
            "give the two rows one version, or add a backend row for the other",
        )


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
        study = _strictly(Study, section)
    except ValidationError as error:
        raise _explain(error, "") from None
    _check_data(study)
    _check_training(study)
    _check_onnx(study)
    _check_searches(study)
    _check_quantization_aware(study)
    _check_engines(study)
    _check_measured(study)
    return study
