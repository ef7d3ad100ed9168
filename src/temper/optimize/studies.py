"""The two studies that a search writes below the study that it is asked of: its trials, and the winner's.

Both are ordinary studies: their artifacts are made by the same rules, with the same records. What is there already is taken
over with its job record, where that was made of the same settings and the same bytes.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import sha256
from temper.environment.own_process import environment, python_command
from temper.errors import ArtifactError, ExperimentError
from temper.optimize.baseline import Baseline, baseline_of
from temper.optimize.points import Point
from temper.optimize.shortest import shortest
from temper.optimize.space import Space
from temper.optimize.written import write_own
from temper.orchestration.dvc import last_words
from temper.orchestration.job_record import FOLDER as RECORDS
from temper.orchestration.job_record import read_job_record, record_path
from temper.orchestration.jobs import planned_jobs
from temper.study.params_text import as_yaml
from temper.study.raw_files import checkpoint_files, data_files
from temper.study.resolve import DEFAULTS, spelt_out
from temper.study.study import read_study

TRIALS = "trials"
_BEGUN = Path(
    ".snakemake/temper/taking_over"
)  # there from the first file that is taken over until Snakemake knows of all
# sections of the study that its trials and the winner share with it
_SHARED = (
    *("seed", "threads", "data", "model", "train", "onnx_external_data", "exports", "calibration_methods"),
    *("measurement", "baseline"),
)


def trials_params(section: Mapping[str, Any], space: Space, workload: str) -> dict[str, Any]:
    """params.yaml of the trials, in the words of studies: each point a candidate.

    Args:
        section: the study's params.yaml.
        space: the points.
        workload: name of the row of `workloads:` that is raced.
    """
    words = spelt_out(section)
    kept = {key: words[key] for key in _SHARED if key in words}
    own = baseline_of(words, space)
    calibrated = _calibrated(section if DEFAULTS in section else words, space.calibrations)
    return {
        DEFAULTS: words[DEFAULTS],
        "study": f"{words['study']}-trials"[:100],
        **kept,
        "baseline": {**words["baseline"], "loads": own.loads},
        "exports": {**words["exports"], **space.exports},
        "buckets": own.rows["buckets"],
        "calibrations": {**own.rows["calibrations"], **calibrated},
        "conversions": {**own.rows["conversions"], **space.conversions},
        "engines": {**own.rows["engines"], **space.engines},
        "backends": {
            words["baseline"]["backend"]: words["backends"][words["baseline"]["backend"]],
            **{point.name: point.backend for point in space.points},
        },
        "workloads": {workload: words["workloads"][workload]},
        "analysis": words["analysis"],
        "candidates": {point.name: {"backend": point.name, "loads": point.loads} for point in space.points},
    }


def _calibrated(given: Mapping[str, Any], rows: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of calibrations with what the study says of its own `main`: another method, fewer samples."""
    main = {key: value for key, value in (given.get("calibrations") or {}).get("main", {}).items() if key != "onnx"}
    return {name: {**main, **row} for name, row in rows.items()}


def winner_params(
    section: Mapping[str, Any],
    *,
    study: str,
    points: Mapping[str, Point],
    space: Space,
    workload: str,
    budget_points: float,
    measurement: Mapping[str, Any],
) -> dict[str, Any]:
    """params.yaml of the winner: the study's own words about data and model, and its candidates.

    Args:
        section: the study's params.yaml.
        study: the winner's own name.
        points: the winner, and what is measured beside it, by the name of the candidate.
        space: the rows that make what it loads.
        workload: name of the row of `workloads:` that was raced.
        budget_points: accuracy that may be lost, percentage points.
        measurement: keys that differ from the study's.
    """
    words = spelt_out(section)
    given = section if DEFAULTS in section else words
    found: dict[str, Any] = {DEFAULTS: words[DEFAULTS], "study": study}
    found |= {key: given[key] for key in _SHARED if key in given and given[key] != {}}
    if measurement:
        found["measurement"] = {**found.get("measurement", {}), **measurement}
    own, backend = baseline_of(words, space), words["baseline"]["backend"]
    if "baseline" in found:
        found["baseline"] = {**found["baseline"], "loads": own.loads}
    backends = {backend: row} if (row := given.get("backends", {}).get(backend)) else {}
    conversions, calibrations = dict[str, Any](), dict[str, Any]()
    for point in points.values():
        converted, calibrated = _rows_of(point, space)
        conversions |= converted
        calibrations |= calibrated
    kinds = {
        name: next(other for other, each in points.items() if each.backend == point.backend)
        for name, point in points.items()
    }
    built = {point.loads.partition("/")[2] for point in points.values() if point.loads.startswith("engines/")}
    engines = {name: row for name, row in space.engines.items() if name in built}
    found["exports"] = _exports(given, words, space, [*conversions.values(), *engines.values()], own)
    found |= {
        "buckets": own.rows["buckets"],
        "calibrations": {**own.rows["calibrations"], **_calibrated(given, calibrations)},
        "conversions": {**own.rows["conversions"], **conversions},
        "engines": {**own.rows["engines"], **engines},
        "backends": {**backends, **{kinds[name]: point.backend for name, point in points.items()}},
        "workloads": {workload: given.get("workloads", {}).get(workload, words["workloads"][workload])},
        "analysis": {**dict(given.get("analysis", {})), "accuracy_budget_points": budget_points},
        "candidates": {name: {"backend": kinds[name], "loads": point.loads} for name, point in points.items()},
    }
    return shortest({key: value for key, value in found.items() if value != {}})


def _exports(
    given: Mapping[str, Any], words: Mapping[str, Any], space: Space, rows: Sequence[Mapping[str, Any]], own: Baseline
) -> dict[str, Any]:
    """The study's own rows; with those that the search added, of all these the ones that something starts from."""
    starts = {own.starts, *(row["onnx"] for row in rows)}
    added = {name: row for name, row in space.exports.items() if name in starts}
    if not added:
        return dict(given.get("exports", {}))
    return {**{name: row for name, row in words["exports"].items() if name in starts}, **added}


def _rows_of(point: Point, space: Space) -> tuple[dict[str, Any], dict[str, Any]]:
    """Conversions and calibrations that make what a point loads; the last made first."""
    conversions: dict[str, Any] = {}
    calibrations: dict[str, Any] = {}
    kind, _, name = point.loads.partition("/")
    if kind == "engines":
        name = space.engines[name]["onnx"]
    while (row := space.conversions.get(name)) is not None:
        conversions[name] = row
        if "calibration" in row:
            calibrations[row["calibration"]] = space.calibrations[row["calibration"]]
        name = row["onnx"]
    return dict(reversed(conversions.items())), calibrations


def write_study(folder: Path, source: Path, params: Mapping[str, Any], comment: str) -> None:
    """Write a study's params.yaml, and let it read the outside files of another one.

    Args:
        folder: its own.
        source: of the study whose files it reads.
        params: its content.
        comment: first line of the file.

    Raises:
        ConfigError: the rows contradict each other, or somebody has changed the file since.
    """
    study = read_study(params)
    write_own(folder, "params.yaml", f"# {comment}\n{as_yaml(params)}")
    before = Path.cwd()
    os.chdir(source)
    try:
        files = [*data_files(study.data), *checkpoint_files(study.model)]
        names = [
            str(study.data[key]["path"]) for key in ("train", "validation", "test") if _is_file_row(study.data, key)
        ]
        tops = {_top(path) for path in (*files, *names) if not os.path.isabs(path)}
    finally:
        os.chdir(before)
    for top in sorted(tops):
        link = folder / top
        if not os.path.lexists(link) and (source / top).exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(source / top, link.parent))


def _is_file_row(data: Mapping[str, Any], key: str) -> bool:
    return isinstance(data.get(key), Mapping) and "path" in data[key]


def _top(path: str) -> Path:
    """What is linked for a file: its folder of outside files, never data/ itself, where jobs write."""
    parts = Path(path).parts
    return Path(*parts[:2]) if parts[0] == "data" and len(parts) > 2 else Path(parts[0])


def take_over(folder: Path, sources: Iterable[Path]) -> int:
    """Copy what jobs of other studies made, with their records, where a job of this one would make the same.

    Args:
        folder: of the study.
        sources: folders of others; the first that has it gives it.

    Returns:
        How many jobs' files were taken over.
    """
    there, begun = [source for source in sources if (source / RECORDS).is_dir()], folder / _BEGUN
    if not there:
        return 0
    taken, cut_off = 0, begun.is_file()
    for job in planned_jobs(folder):
        if (folder / record_path(job.rule, job.row)).is_file():
            continue
        taken += any(_taken_from(source, folder, job, cut_off) for source in there)
    if taken or cut_off:
        _settle(folder)
        begun.unlink(missing_ok=True)
    return taken


def _taken_from(source: Path, folder: Path, job: Any, cut_off: bool) -> bool:
    path = record_path(job.rule, job.row)
    try:
        record = read_job_record(source / path)
    except ArtifactError:
        return False
    if record.settings != job.settings or set(record.inputs) != set(job.inputs):
        return False
    if not cut_off and any(os.path.lexists(folder / name) for name in record.outputs):
        return False  # else they are what a take-over that was cut off had copied
    whole = {**{source / name: value for name, value in record.outputs.items()}}
    same = {**{folder / name: value for name, value in record.inputs.items()}, **whole}
    if any(not file.is_file() or sha256(file) != value for file, value in same.items()):
        return False
    begun = folder / _BEGUN
    begun.parent.mkdir(parents=True, exist_ok=True)
    begun.touch()
    for name in (*record.outputs, path):  # the record last: with it the job counts as done
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        neighbour = target.with_name(f".{target.name}.taken")
        shutil.copy2(source / name, neighbour)
        os.replace(neighbour, target)
    return True


def _settle(folder: Path) -> None:
    """Have Snakemake know of what was put there."""
    done = subprocess.run(
        python_command("-m", "temper.cli", "sync", "--directory", str(folder)),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ExperimentError(
            asked=f"take over into {folder} what the study has made",
            happened=last_words(done),
            affected="nothing of the study itself",
            fix=f"temper sync -C {folder} says the same; rm -r {folder} begins the search's artifacts anew",
        )


_FILES = {
    "onnx": ("model.onnx", "onnx.json", "signature.json"),
    "engines": ("model.engine", "engine.json", "signature.json"),
}


def targets(artifacts: Sequence[str]) -> list[str]:
    """Files that Snakemake is asked for, of onnx/<row> and engines/<row>."""
    return [f"artifacts/{each}/{file}" for each in artifacts for file in _FILES[each.partition("/")[0]]]
