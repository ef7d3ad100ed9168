"""Where a page's material comes from: the files of the report's rule, a study's folder, a folder of filed records."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper.buckets.record import read_buckets
from temper.errors import ArtifactError
from temper.load_test.record import LoadTestRecord, read_load_test
from temper.quantization.record import read_search
from temper.report.decision import decide
from temper.report.filed import read_filed_study
from temper.report.page.material import Material
from temper.report.packed import JOBS, MANIFESTS, Packed

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


def manifests_in(folder: Path) -> dict[str, Json]:
    """Manifests of engines below artifacts/, by their place there."""
    found = {}
    for path in sorted(folder.glob("engines/*/engine.json")):
        try:
            found[path.relative_to(folder).as_posix()] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ArtifactError(
                asked=f"show how the engine {path.parent.name} was built",
                happened=f"{path} is no manifest ({error})",
                spoiled="the page; nothing was written",
                fix="temper sync: puts it back from DVC's cache, or removes it for the next run to make anew",
            ) from None
    return found


def filed_material(folder: Path) -> Material:
    """A filed study: all of it but the test rows.

    Args:
        folder: results/<machine>/<study>/.

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
        load_tests=load_tests_in(folder / "load_tests"),
        searches=searches_in(folder / "searches"),
        buckets=buckets_in(folder / "buckets"),
        manifests=_manifests(packed),
        jobs=packed.documents(JOBS),
        withdrawn=noted,
        beside=True,
    )


def _manifests(packed: Packed) -> Mapping[str, Json]:
    return {name: found for name, found in packed.documents(MANIFESTS).items() if name.endswith("engine.json")}
