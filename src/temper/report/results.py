"""Records of this machine filed under results/<machine>/<study>/, where those of several machines lie side by side."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from temper.artifacts.inside import why_not_inside
from temper.artifacts.manifest import canonical_json, read_document
from temper.errors import ArtifactError, ConfigError
from temper.orchestration.job_record import record_path
from temper.orchestration.jobs import checkout_of, planned_jobs, run_command
from temper.orchestration.states import State, states
from temper.report.calibrations import SECONDS_FILE
from temper.report.costs import calibration_seconds
from temper.report.files import LEFT_OUT
from temper.report.filing import write_filed
from temper.report.finished import places
from temper.report.packed import JOBS, MANIFESTS, RECORDS, REMEASUREMENTS, pack
from temper.study.names import LONGEST_NAME, NAME_PATTERN
from temper.study.params_file import edited, parse_params
from temper.study.params_text import as_yaml
from temper.study.resolve import DEFAULTS, is_complete, load_resolved, resolve

MEASURED = {"measure": ("candidates", "measurements"), "load_test": ("load_tests", "load_tests")}  # section and folder
REST_ON_ALL = ("remeasure", "report")  # jobs that need every measurement: without one they are not filed

# What is kept: no weights, no engines, no data, and no report: it is computed from the records.
# Pattern below the study's folder, the file that packs such documents, and the folder below which their names begin.
PACKED = (
    ("artifacts/measurements/*.json", RECORDS, "artifacts/measurements"),
    ("artifacts/jobs/**/*.json", JOBS, "artifacts/jobs"),
    ("artifacts/checkpoint/checkpoint.json", MANIFESTS, "artifacts"),
    ("artifacts/checkpoint/training_history.json", MANIFESTS, "artifacts"),
    ("artifacts/onnx/*/onnx.json", MANIFESTS, "artifacts"),
    ("artifacts/calibration/*/cache.json", MANIFESTS, "artifacts"),
    ("artifacts/engines/*/engine.json", MANIFESTS, "artifacts"),
    ("artifacts/remeasurements.json", REMEASUREMENTS, "artifacts"),
)
# Kept as they are: pattern, and the folder from which the path below results/<machine>/<study>/ begins.
COPIED = (
    ("kept_versions.json", "."),
    ("data/prepared/data_card.json", "data/prepared"),
    ("artifacts/searches/*/search.json", "artifacts"),
    ("artifacts/buckets/*.json", "artifacts"),
    ("artifacts/load_tests/*.json", "artifacts"),
    ("artifacts/comparison/*.json", "artifacts"),
    ("artifacts/comparison/*.md", "artifacts"),
    ("search.*", "."),  # of a study that `temper optimize` wrote: what was tried
)


def _without_node(document: dict[str, Any]) -> dict[str, Any]:
    """A document as others may see it: a job's record without the name of the node that it ran on."""
    if "made_on" not in document:
        return document
    return {**document, "made_on": {key: value for key, value in document["made_on"].items() if key != "node"}}


def _document_name(file: str, path: Path, folder: str) -> str:
    """Name of a document in the file that packs it: a manifest's is its path, others leave out what all end in."""
    inside = path.relative_to(folder)
    return (inside if file == MANIFESTS else inside.with_suffix("")).as_posix()


def _params_text(left_out: Collection[tuple[str, str]]) -> str:
    """This folder's params.yaml in the complete form, without the rows of these jobs.

    Nothing of it is left to defaults.yaml, so that what was filed says the same for ever.
    """

    def drop(study: Any) -> None:
        for rule, row in left_out:
            del study[MEASURED[rule][0]][row]

    text = Path("params.yaml").read_text(encoding="utf-8")
    given = parse_params(text)
    if is_complete(given):
        return edited(text, drop) if left_out else text
    study = resolve(given)
    drop(study)
    return f"# Filed with every value; the study says `defaults: {given[DEFAULTS]}`.\n{as_yaml(study)}"


def filed_content(left_out: Mapping[tuple[str, str], State], stale: Collection[Path]) -> dict[str, bytes]:
    """Content of every file that is filed of the study in this folder, by its path in the filed folder.

    Args:
        left_out: measurements without a current record, and their states: left_out.json says why.
        stale: files of theirs and of what rests on them, which are not filed.
    """
    packed: dict[str, dict[str, Any]] = {}
    for pattern, file, folder in PACKED:
        for path in set(Path().glob(pattern)).difference(stale):
            name = _document_name(file, path, folder)
            packed.setdefault(file, {})[name] = _without_node(read_document(path))
    content = pack(packed)
    for pattern, folder in COPIED:
        for path in set(Path().glob(pattern)).difference(stale):
            why = why_not_inside(path, Path())
            if why is not None or path.is_symlink():
                raise ArtifactError(
                    asked=f"file {path}, as git would keep it",
                    happened=why or f"{path} is a link",
                    affected="nothing was copied",
                    fix="put the file itself in the link's place, or take it away; temper sync makes an artifact anew",
                )
            content[path.relative_to(folder).as_posix()] = path.read_bytes()
    if took := calibration_seconds():
        content[SECONDS_FILE] = canonical_json(took).encode()
    content["params.yaml"] = _params_text(left_out).encode()
    if left_out:
        reasons = {f"{rule} {row}": state.reason for (rule, row), state in left_out.items()}
        content[LEFT_OUT] = canonical_json(reasons).encode()
    return content


def _check_name(study: str) -> None:
    """Raise ConfigError where a folder of studies/ has the name of another: its records would replace that one's."""
    here = Path().resolve()
    if here.parent == checkout_of() / "studies" and here.name != study:
        raise ConfigError(
            asked=f"file the records of studies/{here.name}",
            happened=f"its params.yaml says study: {study}, which is another folder's name",
            affected="nothing was copied: they would have replaced that study's records",
            fix=f"set study: {here.name} and run it again: that makes the report anew and nothing else",
        )


def _check_machine(machine: str) -> None:
    """Refuse what is no name for a folder, or the name of another one where capitals are small letters."""
    happened, fix = "it is no name for a folder", "use letters, digits, _ and -, 100 at most"
    if re.fullmatch(NAME_PATTERN, machine) and len(machine) <= LONGEST_NAME:
        there = (path.name for path in (checkout_of() / "results").glob("*") if path.is_dir())
        other = next((name for name in there if name.lower() == machine.lower() and name != machine), None)
        if other is None:
            return
        happened = f"results/{other} is there, which is the same name on a disk that takes capitals for small letters"
        fix = f"use that name, or another: --machine {other}"
    raise ConfigError(asked=f"file the records under {machine!r}", happened=happened, affected="nothing", fix=fix)


def _check_one_machine() -> None:
    """Refuse a study whose candidates are measured on several machines: a filed folder is one machine's."""
    named = places(load_resolved("params.yaml"))
    if named != ("",):
        raise ConfigError(
            asked="file the records of this study under the name of one machine",
            happened=f"its candidates are measured on several: {', '.join(named)}",
            affected="nothing was copied",
            fix="make a study of each machine, and file those; the reports of this one are below artifacts/report/",
        )


def file_results(machine: str, *, partial: bool = False, force: bool = False) -> tuple[Path, list[str]]:
    """File the records of the study in this folder to results/<machine>/<study>/ of its checkout, whole or not at all.

    Args:
        machine: the name under which this machine's records stand, such as 'h100-80gb'.
        partial: file what was measured of a study that is not finished: candidates and load tests without a current
            record are left out of the filed params.yaml, and left_out.json says why.
        force: replace files of that folder that were not filed by this, or changed since.

    Returns:
        The folder, and its files that were not filed by this: they stay.

    Raises:
        ConfigError: the name is no folder's name, the study has the name of another one, or a file of somebody's would be
            replaced.
        ArtifactError: the study is not finished, or a record was altered since it was measured; with `partial` something
            else than a measurement is missing, or the baseline itself.
    """
    _check_machine(machine)
    _check_one_machine()
    jobs = planned_jobs()
    found = states(jobs)
    report = next(job for job in jobs if job.rule == "report")
    wrong = {(job.rule, job.row): found[job.rule, job.row] for job in jobs if not found[job.rule, job.row].current}
    left_out = {
        key: state for key, state in wrong.items() if partial and key[0] in MEASURED and state.kind != "altered"
    }
    needed = [key for key in wrong if key not in left_out and not (left_out and key[0] in REST_ON_ALL)]
    needed += [key for key in left_out if key == ("measure", report.settings["baseline"])]
    if needed:
        (rule, row), state = needed[0], wrong[needed[0]]
        raise ArtifactError(
            asked=f"file the records of this study under {machine}",
            happened=f"{len(needed)} of {len(jobs)} artifacts are not of these settings "
            f"({f'{rule} {row}'.strip()}: {state.reason})",
            affected="nothing was copied",
            fix="temper sync: puts an altered artifact back, or has it made anew"
            if state.kind == "altered"
            else f"finish the study first ({run_command()})"
            + ("" if partial else "; --partial files the candidates that were measured"),
        )
    study: str = report.settings["study"]
    _check_name(study)
    stale = {Path(file) for job in jobs if (job.rule, job.row) in wrong for file in job.outputs}
    stale |= {Path(record_path(rule, row)) for rule, row in wrong}
    goal: Path = checkout_of() / "results" / machine / study
    return goal, write_filed(goal, filed_content(left_out, stale), force=force)
