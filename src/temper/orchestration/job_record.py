"""The job record: what a job was asked, what it read and what it wrote, left as the last of its outputs.

It travels with the artifact (DVC, a copy), so the truth about an artifact never depends on what a tool remembers.
Digests are SHA-256 over bytes; settings are the job's params as the Snakefile gave them.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import canonical_json, sha256, write_text
from temper.environment.machine import distribution_versions
from temper.errors import ArtifactError, LibraryError
from temper.logs.script_log import log_to, say_lasting
from temper.orchestration import made_files, seen
from temper.orchestration.machines import check_here, counted, where_it_ran
from temper.orchestration.run_lock import beside, end_with_the_run, may_adopt
from temper.reading.json_file import read_object

CHANGES_NO_RESULT = "it writes beside a result what the job was asked and what it read"
FOLDER = "artifacts/jobs"
LEDGER = ".snakemake/temper/made"  # this folder's own memory, never shared: the job records that Snakemake left here
FORMAT_VERSION = 1
_MADE_BY_JOBS = ("data/prepared/", "artifacts/")
_OF_ONE_STUDY = ("remeasure", "report")  # as what is timed, which names its machine


@dataclass(frozen=True)
class JobRecord:
    """One job record. Paths are relative to the study's folder."""

    rule: str
    row: str  # '' where the rule has one job only
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]  # path to SHA-256
    outputs: Mapping[str, str]
    made_on: Mapping[str, Any] = field(default_factory=dict)  # `where_it_ran`; empty in records of before


def record_path(rule: str, row: str) -> str:
    """Path of a job's record: artifacts/jobs/<rule>/<row>.json, or artifacts/jobs/<rule>.json."""
    return f"{FOLDER}/{rule}/{row}.json" if row else f"{FOLDER}/{rule}.json"


def ledger_path(rule: str, row: str) -> Path:
    """Where this folder remembers the digest of a job's record."""
    return Path(LEDGER, rule, row or "_")


def plain_settings(params: Mapping[str, Any]) -> dict[str, Any]:
    """A job's params as they are stored: what JSON knows, tuples as lists."""
    settings: dict[str, Any] = json.loads(canonical_json(dict(params)))
    return settings


def write_job_record(record: JobRecord) -> None:
    """Write a job's record and remember it as made here."""
    path = record_path(record.rule, record.row)
    content = {
        "format_version": FORMAT_VERSION,
        "rule": record.rule,
        "row": record.row,
        "settings": dict(record.settings),
        "inputs": dict(record.inputs),
        "outputs": dict(record.outputs),
        "made_on": dict(record.made_on),
    }
    write_text(path, canonical_json(content))
    remember(record.rule, record.row)


def read_job_record(path: str | Path) -> JobRecord:
    """Read a job record.

    Raises:
        ArtifactError: it is absent, or no record of this format.
    """
    try:
        content = read_object(path)
        if content.pop("format_version") != FORMAT_VERSION:
            raise ValueError("it is of another format version")
        return _checked(JobRecord(**content))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            asked=f"read the job record {path}",
            happened=f"{type(error).__name__}: {error}",
            affected="what the job made: nobody can tell under which settings",
            fix="make it anew: temper sync moves it out of the way, the next run makes it",
        ) from None


def _checked(record: JobRecord) -> JobRecord:
    """The record, whose parts are of the kinds that everybody takes them for.

    Raises:
        ValueError: they are not.
    """
    names = (record.rule, record.row)
    digests_of = (record.inputs, record.outputs)
    tables = (record.settings, record.made_on)
    if not all(isinstance(name, str) for name in names) or not all(isinstance(table, dict) for table in tables):
        raise ValueError("rule and row have to be texts, settings and made_on tables")
    if not all(
        isinstance(each, dict) and all(isinstance(digest, str) for digest in each.values()) for each in digests_of
    ):
        raise ValueError("inputs and outputs have to be digests by path")
    return record


def remember(rule: str, row: str) -> None:
    """Note that the job record that is here now is the one this folder's Snakemake knows of."""
    write_text(ledger_path(rule, row), sha256(record_path(rule, row)) + "\n")


def remembered(rule: str, row: str) -> str | None:
    """SHA-256 of the job record that Snakemake left here; None where it left none."""
    noted = ledger_path(rule, row)
    return noted.read_text(encoding="utf-8").strip() if noted.is_file() else None


def is_remembered(rule: str, row: str) -> bool:
    """Whether the job record on disk is the one that Snakemake left here, byte for byte."""
    noted = remembered(rule, row)
    return noted is not None and noted == sha256(record_path(rule, row))


def check_versions(rule: str, row: str, wanted: Mapping[str, str]) -> None:
    """Check that this environment holds the libraries whose versions a job is planned with.

    Raises:
        LibraryError: it does not: kept_versions.json names those of an artifact that was made elsewhere.
    """
    found = distribution_versions(*wanted)
    other = [f"{name} {version} (here: {found[name]})" for name, version in wanted.items() if found[name] != version]
    if other:
        raise LibraryError(
            asked=f"run {rule} {row}".rstrip(),
            happened=f"its artifact is kept as made with {', '.join(other)}, and now has to be made anew",
            affected="nothing: no job of another version was recorded as this one",
            fix="temper forget, which lets the installed versions count again; then run the same command",
        )


def adopt(rule: str, row: str, settings: Mapping[str, Any], inputs: Sequence[Any]) -> bool:
    """Put back what this job made last time, where it would be made again of the same; whether that was done.

    The same are: its settings (its code's digest and the versions of libraries among them), and the bytes of every file it
    reads. Its record comes back with its files, byte for byte: a measurement keeps the time at which it was taken.
    """
    path = record_path(rule, row)
    kept = made_files.kept_folder(rule, row) / path
    if not may_adopt(rule, row) or not kept.is_file() or sha256(kept) != remembered(rule, row):
        return False
    record = read_job_record(kept)
    files = sorted(counted(inputs), key=lambda file: Path(file).stat().st_size)
    if record.settings != settings or record.inputs.keys() != set(files):
        return False
    if any(record.inputs[file] != sha256(file) for file in files):  # the small ones first: one that differs is enough
        return False
    if not made_files.put_back(rule, row, {**record.outputs, path: sha256(kept)}):
        return False
    seen.note(rule, row, record.outputs)
    return True


def take_from_beside(rule: str, row: str, settings: Mapping[str, Any], snakemake: Any) -> Path | None:
    """Copy what the same job of a study that is run together with this one has made; its folder, None where none has.

    The same: settings (code and versions among them), bytes of what it reads, names of what it writes. Its record is the one that
    the job left there, and each file still the one that it wrote. Nothing that is timed is taken.
    """
    if "machine" in settings or rule in _OF_ONE_STUDY:
        return None
    path, inputs = record_path(rule, row), counted(snakemake.input)
    wanted = set(map(str, snakemake.output)) - {path}
    for folder in beside():
        noted, file = folder / ledger_path(rule, row), folder / path
        if not (file.is_file() and noted.is_file() and noted.read_text(encoding="utf-8").strip() == sha256(file)):
            continue
        try:
            record = read_job_record(file)
        except ArtifactError:
            continue
        same = record.settings == settings and record.inputs.keys() == set(inputs) and record.outputs.keys() == wanted
        if not same or any(record.inputs[each] != sha256(each) for each in inputs):
            continue
        if all(
            (folder / each).is_file() and sha256(folder / each) == digest for each, digest in record.outputs.items()
        ):
            for each in (*record.outputs, path):
                Path(each).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / each, each)
            remember(rule, row)
            made_files.keep(rule, row, [*record.outputs, path])
            seen.note(rule, row, record.outputs)
            return folder
    return None


def vouched() -> dict[str, tuple[str, str]]:
    """SHA-256 and job record of every file that a job of the study in the working directory says that it wrote, by path."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(Path(FOLDER).rglob("*.json")):
        with suppress(ArtifactError):
            found |= {file: (digest, str(path)) for file, digest in read_job_record(path).outputs.items()}
    return found


def check_inputs(asked: str, files: Sequence[Any]) -> dict[str, str]:
    """SHA-256 of what a job is about to read, by path; what other jobs make is as they wrote it.

    Raises:
        ArtifactError: a file has other bytes than its job's record says, or lies among the artifacts and no record names it.
    """
    found, made = digests(files), vouched()
    for file, digest in found.items():
        if file.startswith(f"{FOLDER}/"):
            continue  # a record vouches for others, and nothing for it but this folder's memory (temper/orchestration/origin.py)
        if file in made and made[file][0] != digest:
            happened = (
                f"{file} is not the file that its job wrote ({made[file][1]} has its digest): another was put there"
            )
        elif file not in made and file.startswith(_MADE_BY_JOBS):
            happened = f"{file} is of no job: no job record names it"
        else:
            continue
        raise ArtifactError(
            asked=asked,
            happened=happened,
            affected="nothing: the job was not started, and nothing was made or measured of that file",
            fix="temper sync: moves it to set_aside/ and brings back what the job wrote, or has it made anew; then again",
        )
    return found


def _times(files: Iterable[str]) -> dict[str, tuple[int, ...]]:
    found = {file: os.stat(file) for file in files}
    return {file: (each.st_size, each.st_mtime_ns, each.st_ctime_ns, each.st_ino) for file, each in found.items()}


def _check_unchanged(asked: str, read: Mapping[str, str], before: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ArtifactError where a file that a job has read is another one now: nobody knows which of the two it was made of."""
    now = _times(read)
    for file, digest in read.items():
        if now[file] != before[file] and sha256(file) != digest:
            raise ArtifactError(
                asked=asked,
                happened=f"{file} was changed while the job worked",
                affected="what the job made: it was removed",
                fix="leave the files of a study alone while it runs; then the same command again",
            )


@contextmanager
def recorded(snakemake: Any) -> Iterator[None]:
    """Run a rule's work with its output in the rule's log, and leave the job record when it ends well.

    Args:
        snakemake: what Snakemake hands to a script: rule, wildcards, params, input, output, log.

    Raises:
        SystemExit: 0 before any work, where what the job made last time was adopted; 1 where one of its inputs is not what
            the job before it wrote.
    """
    rule, row = str(snakemake.rule), next(iter(map(str, snakemake.wildcards)), "")
    asked = f"run {rule} {row}".rstrip()
    settings = plain_settings(dict(snakemake.params.items()))
    path = record_path(rule, row)
    with log_to(snakemake.log[0], rule):
        end_with_the_run()
        if adopt(rule, row, settings, snakemake.input):
            say_lasting(f"{rule} {row}".rstrip() + ": adopted: of the same code, settings and inputs as last time")
            raise SystemExit(0)
        taken = take_from_beside(rule, row, settings, snakemake)
        if taken is not None:
            say_lasting(f"{rule} {row}".rstrip() + f": taken from {taken.name}: of the same code, settings and inputs")
            raise SystemExit(0)
        check_versions(rule, row, settings.get("versions", {}))
        check_here(asked, settings)
        inputs = counted(snakemake.input)
        before = _times(inputs)
        read = check_inputs(asked, inputs)
        yield
        _check_unchanged(asked, read, before)
        written = digests([file for file in snakemake.output if str(file) != path])
        write_job_record(JobRecord(rule, row, settings, read, written, where_it_ran()))
        made_files.keep(rule, row, [*written, path])
        seen.note(rule, row, written)


def digests(files: Sequence[Any]) -> dict[str, str]:
    """SHA-256 of each file, by path."""
    return {str(file): sha256(str(file)) for file in files}
