"""Tables that stand beside a study's report on the terminal: its load tests, and the lengths its engines are built for."""

from collections.abc import Iterator
from pathlib import Path

from temper.artifacts.manifest import sha256
from temper.load_test.record import LoadTestRecord, read_load_test
from temper.orchestration.job_record import read_job_record, record_path
from temper.report.intact import altered
from temper.report.load_tests import HEADER, SERVED_HEADER, load_test_rows, served_rows
from temper.report.serving import BUCKETS_HEADER, bucket_cells
from temper.study.resolve import load_resolved


def other_tables(study: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """Title and lines, the header first, of each table that the study has something for.

    Args:
        study: folder with its params.yaml and artifacts/; rows that were not run are left out.

    Raises:
        ArtifactError: a record of a load test was altered since it was taken.
    """
    if tests := _load_tests(study):
        yield "MLPerf LoadGen", [list(HEADER), *load_test_rows(tests)]
        if served := served_rows(tests):
            yield "what serving costs", [list(SERVED_HEADER), *served]
    files = [study / f"artifacts/buckets/{name}.json" for name in _listed(study, "buckets")]
    if cells := bucket_cells([file for file in files if file.is_file()]):
        yield "sequence lengths to build engines for", [list(BUCKETS_HEADER), *cells]


def _listed(study: Path, section: str) -> list[str]:
    """Rows of a section of params.yaml."""
    params = study / "params.yaml"
    return list(load_resolved(params).get(section, {}) if params.is_file() else {})


def _load_tests(study: Path) -> list[LoadTestRecord]:
    """Records of the load tests that params.yaml lists, as their jobs wrote them."""
    found = []
    for name in _listed(study, "load_tests"):
        record, job = study / f"artifacts/load_tests/{name}.json", study / record_path("load_test", name)
        if record.is_file() and job.is_file():
            if read_job_record(job).outputs.get(f"artifacts/load_tests/{name}.json") != sha256(record):
                raise altered(record, job)
            found.append(read_load_test(record))
    return found
