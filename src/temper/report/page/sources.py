"""Where a page's material comes from: the files of the report's rule, a study's folder, a folder of filed records."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from temper.errors import ArtifactError
from temper.lengths.buckets.record import read_buckets
from temper.load_test.record import LoadTestRecord, read_load_test
from temper.measurement.record import Record
from temper.orchestration.job_record import FOLDER, read_job_record
from temper.quantization.record import read_search
from temper.reading.json_file import read_object
from temper.report.decide.decision import decide
from temper.report.filed import read_filed_study
from temper.report.finished import Finished, read_finished
from temper.report.packed import JOBS, MANIFESTS, Packed
from temper.report.page.asked_rows import read_asked_rows
from temper.report.page.beside import beside
from temper.report.page.flips import flipped_rows
from temper.report.page.material import Changes, Material

FILED_HAS_NO_ROWS = "The rows themselves are not filed with the records: numbers stand for them."
Json = dict[str, Any]


def load_tests_in(folder: Path) -> list[LoadTestRecord]:
    """The records of load tests in a folder, by name; [] where there is none."""
    return [read_load_test(path) for path in sorted(folder.glob("*.json"))]


def searches_in(folder: Path) -> dict[str, Json]:
    """search.json's content of each search below a folder."""
    return {path.parent.name: read_search(path.parent) for path in sorted(folder.glob("*/search.json"))}


def buckets_in(folder: Path) -> dict[str, Json]:
    """Content of each file of buckets in a folder."""
    return {path.stem: read_buckets(path) for path in sorted(folder.glob("*.json"))}


def engines_in(folder: Path) -> dict[str, Json]:
    """Manifests of engines by what a candidate loads, as 'engines/fp16'.

    Args:
        folder: artifacts/ of a study.
    """
    found = {}
    for path in sorted(folder.glob("engines/*/engine.json")):
        try:
            found[f"engines/{path.parent.name}"] = read_object(path)
        except (OSError, ValueError) as error:
            raise ArtifactError(
                asked=f"show how the engine {path.parent.name} was built",
                happened=f"{path} is no manifest ({error})",
                affected="the page; nothing was written",
                fix="temper sync: puts it back from DVC's cache, or removes it for the next run to make anew",
            ) from None
    return found


def filed_material(folder: Path, changes: Changes | None = None) -> Material:
    """A filed study: all of it but the test rows.

    Args:
        folder: results/<machine>/<study>/.
        changes: what is another than in an earlier state.

    Raises:
        ArtifactError: as `read_filed_study`; or what lies beside the records was altered.
    """
    study, packed = read_filed_study(folder), Packed(folder)
    workloads = list(dict.fromkeys(name for record in study.measured for name in record.workloads))
    names = [record.candidate for record in study.records]
    noted = [note for entry in study.withdrawn if (note := entry.note(names, workloads)) is not None]
    return Material(
        study=folder.name,
        records=study.records,
        compared=study.compared,
        decision=decide(study.records, study.compared),
        why_no_rows=FILED_HAS_NO_ROWS,
        changes=changes,
        withdrawn=noted,
        beside=beside(
            load_tests=load_tests_in(folder / "load_tests"),
            searches=searches_in(folder / "searches"),
            buckets=buckets_in(folder / "buckets"),
            engines=_engines(packed),
            jobs={name: packed.document(JOBS, name) for name in packed.documents(JOBS)},
        ),
    )


def _engines(packed: Packed) -> Mapping[str, Json]:
    found = packed.documents(MANIFESTS)
    return {name.removesuffix("/engine.json"): own for name, own in found.items() if name.endswith("/engine.json")}


def study_material(changes: Callable[[Finished, list[Record]], Changes | None], machine: str | None = None) -> Material:
    """The study in the working directory, as its last report has it, with its test rows and what lies beside.

    Args:
        changes: called with its report and records, what is another than in an earlier state.
        machine: whose report is meant, where the study has one for each.

    Raises:
        DataError: it has no report.
        ArtifactError: its report or a record was altered since, or other rules than this version's made it.
    """
    finished = read_finished("show the report of this study as a page", machine)
    records = [finished.record(name) for name in finished.candidates]
    wanted = flipped_rows(finished.comparison)
    has_rows = Path("data/prepared/test.parquet").is_file()
    return Material(
        study=finished.comparison.study,
        records=records,
        compared=finished.comparison,
        decision=finished.decision,
        rows=read_asked_rows("data/prepared", wanted) if has_rows else None,
        why_no_rows="" if has_rows else "data/prepared/test.parquet is not here: numbers stand for the rows.",
        changes=changes(finished, records),
        beside=beside(
            load_tests=load_tests_in(Path("artifacts/load_tests")),
            searches=searches_in(Path("artifacts/searches")),
            buckets=buckets_in(Path("artifacts/buckets")),
            engines=engines_in(Path("artifacts")),
            jobs={
                path.relative_to(FOLDER).with_suffix("").as_posix(): vars(read_job_record(path))
                for path in sorted(Path(FOLDER).rglob("*.json"))
            },
        ),
    )
