"""params.yaml checked as a whole: the closed schema, each choice's own options, and the links between rows.

Only planning imports this module. What belongs to one file (a backend's options, a calibration method's) is checked by
that file's own `Options`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from temper.artifacts.signature import BATCH_AXIS, DYNAMIC_AXES, SEQUENCE_AXIS
from temper.environment import plugins
from temper.environment.library import resolve_version
from temper.errors import ConfigError
from temper.evaluation.evaluation import evaluation_of
from temper.load_test.serving import check_served
from temper.measurement.timed_inputs import REAL_LENGTHS, has_real_lengths
from temper.statistics.metrics import GROUPED
from temper.study.engine_checks import check_fit, check_shapes
from temper.study.onnx_rows import ONNX_SECTIONS, check_onnx
from temper.study.params_file import load_params
from temper.study.params_rows import check_options, chosen, explain, need, strictly
from temper.study.reference_checks import check_machines, check_references
from temper.study.refusal import params_error
from temper.study.resolve import in_words_of_studies, is_complete, resolve
from temper.study.schema import BaselineRow, BucketedEngineRow, CandidateRow, LabelRows, Study
from temper.study.sections.buckets import check_buckets
from temper.study.sections.load_tests import LoadTestRow, check_workload
from temper.tasks.task import USUAL, task_of

ENGINE_SECTIONS = "engines or bucketed_engines"
_READS_TASKS = ("files", "hub")  # sources whose rows may have another kind of label


def _check_data(study: Study) -> None:
    module = check_options("data", chosen(study.data, "source", "data"), study.data, "data", "source")
    options = module.Options.model_validate(study.data)
    text = study.model.task == "text-classification"
    if text != (options.max_tokens is not None):
        raise params_error(
            f"data.max_tokens is {options.max_tokens} for the task {study.model.task}",
            "text needs a number of tokens, images need null",
        )
    _check_labels(study, options.labels)
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


def _check_labels(study: Study, labels: str | None) -> None:
    """A task that the source reads, and a metric that the task has."""
    source = study.data["source"]
    if labels not in (None, USUAL) and source not in _READS_TASKS:
        raise params_error(
            f"data.labels is {labels}, and the source {source} has one label for each row",
            f"leave it out; sources that read others: {', '.join(_READS_TASKS)}",
        )
    task = task_of(labels)
    if study.model.task not in task.NETWORKS:
        raise params_error(
            f"data.labels is {labels}, and model.task is {study.model.task}", f"it goes with {', '.join(task.NETWORKS)}"
        )
    if not getattr(task, "TRAINS", True) and (study.train["method"] != "none" or study.quantization_aware):
        raise params_error(
            f"data.labels is {labels}, for which nothing trains here",
            "take the checkpoint as it is: train: {method: none}, and no rows of quantization_aware",
        )
    metric, known = study.analysis.metric, evaluation_of(labels).METRICS
    if metric is not None and metric not in known:
        raise params_error(
            f"analysis.metric is {metric}, which is none of {labels or USUAL}: {', '.join(known)}",
            "choose one of these",
        )
    if metric in GROUPED and study.data.get("group") is None:
        raise params_error(
            f"analysis.metric is {metric}, which is a mean over queries, and data.group is not given",
            "name the column of the query in data.group",
        )


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
    check_options("training", chosen(section, "method", "train"), section, "train", "method")


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
        need(engine.onnx, study.onnx_rows, f"{place}.onnx", ONNX_SECTIONS)
        check_shapes(study, place, engine)
        if isinstance(engine, BucketedEngineRow):
            need(engine.buckets, study.buckets, f"{place}.buckets", "buckets")


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
    need(row.backend, study.backends, f"{place}.backend", "backends")
    kind, _, artifact = row.loads.partition("/")
    if kind == "onnx":
        need(artifact, study.onnx_rows, f"{place}.loads", ONNX_SECTIONS)
    elif kind == "engines":
        need(artifact, study.engine_rows, f"{place}.loads", ENGINE_SECTIONS)
    runner = study.backends[row.backend].runner
    accepts = plugins.load("backends", runner).ACCEPTS
    if kind not in accepts:
        raise params_error(
            f"{place} loads {row.loads}, but the backend {runner} loads {' or '.join(accepts)}",
            "name an artifact that the backend can load",
        )


def _check_names(study: Study) -> None:
    """Names become files: two that a disk may take for one are refused on every disk."""
    for names in (study.onnx_rows, tuple(study.engine_rows), *study.jobs.values()):
        spelled: dict[str, str] = {}
        for name in names:
            other = spelled.setdefault(name.lower(), name)
            if other != name:
                raise params_error(
                    f"{other!r} and {name!r} are one name on a disk that takes capitals for small letters",
                    "rename one of the two",
                )


def _check_measured(study: Study) -> None:
    for name, sizes in study.workloads.items():
        _check_workload(study, name, sizes)
    for name, backend in study.backends.items():
        place = f"backends.{name}"
        check_options("backends", backend.runner, backend.options, place, "runner", f"{place}.options")
    _check_loads(study, "baseline", study.baseline)
    for name, candidate in study.candidates.items():
        place = f"candidates.{name}"
        _check_loads(study, place, candidate)
        for workload in candidate.workloads:
            need(workload, study.workloads, f"{place}.workloads", "workloads")
        for row_place, row in ((place, candidate), ("baseline", study.baseline)):  # both are timed on its workloads
            kind, _, engine = row.loads.partition("/")
            if kind == "engines":
                check_fit(study, row_place, candidate.workloads, engine)
                _check_engine_version(study, row_place, row, engine)
    check_machines(study)
    check_references(study)
    for name, section in study.load_tests.items():
        _check_load_test(study, name, section)


def _check_load_test(study: Study, name: str, section: Mapping[str, Any]) -> None:
    place = f"load_tests.{name}"
    try:
        row = strictly(LoadTestRow, section)
    except ValidationError as error:
        raise explain(error, place) from None
    _check_loads(study, place, row)
    need(row.workload, study.workloads, f"{place}.workload", "workloads")
    check_workload(row, study.workloads[row.workload])
    if row.machine is not None or study.machines:
        need(str(row.machine), study.machines, f"{place}.machine", "machines")
    if row.through is not None:
        check_served(row, study.backends[row.backend], study.model.task)
    kind, _, engine = row.loads.partition("/")
    if kind == "engines":
        check_fit(study, place, (row.workload,), engine)
        _check_engine_version(study, place, row, engine)


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
        section: its content as Snakemake (or YAML) read it; with `defaults` it is resolved first.
        files: the files it came from, checked for repeated keys.

    Raises:
        ConfigError: with the first few findings, each under its key's full path.
    """
    for file in files:
        load_params(file)
    if is_complete(section):
        if section.get("machines"):
            raise params_error(
                "machines stands in a study without `defaults`, whose dvc.yaml knows one machine",
                "add the line defaults: 1",
            )
        return _checked(section)
    complete = resolve(section)
    try:
        return _checked(complete)
    except ConfigError as error:
        raise params_error(in_words_of_studies(error.happened), in_words_of_studies(error.fix)) from None


def _checked(section: Mapping[str, Any]) -> Study:
    """The complete form, checked."""
    try:
        study = strictly(Study, section)
    except ValidationError as error:
        raise explain(error, "") from None
    _check_data(study)
    _check_training(study)
    check_onnx(study)
    _check_engines(study)
    _check_measured(study)
    _check_names(study)
    return study
