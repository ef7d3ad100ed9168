"""Both versions of a library side by side: the engines of before are kept, and their candidates timed in turns with the new."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from temper.comparison.experiments import FOLDER
from temper.comparison.side_by_side import SideFailed, centre_ms, time_side_by_side
from temper.comparison.versions import Snapshot, Timed, engines_of, pairs_of, timed_apart
from temper.measurement.record import Record
from temper.orchestration.run_lock import hold, release


@contextlib.contextmanager
def kept_engines(study: Mapping[str, Any], library: str) -> Iterator[Path]:
    """A copy of the engines as they are now: the other version's take their places.

    Yields:
        Where they lie, below artifacts/comparison/; gone when the block ends.
    """
    Path(FOLDER).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="upgrade.before-", dir=FOLDER) as folder:
        for name in engines_of(study, library):
            if Path("artifacts/engines", name).is_dir():
                shutil.copytree(Path("artifacts/engines", name), Path(folder, "engines", name))
        yield Path(folder)


def side(study: Mapping[str, Any], name: str, record: Record, kept: Path | None) -> dict[str, Any]:
    """One side of a candidate's timing; its artifact from `kept` where a copy of it lies there."""
    loads = study["candidates"][name]["loads"]
    copied = None if kept is None else kept / loads
    return {
        "runner": record.backend["runner"],
        "artifact": str(copied if copied is not None and copied.is_dir() else Path("artifacts") / loads),
        "options": record.backend["options"],
        "version": record.backend["library_version"],
    }


def _in_turns(
    study: Mapping[str, Any], name: str, old: Record, new: Record, kept: Path
) -> tuple[list[Timed], str | None]:
    """One candidate's ratios, taken in turns; where that cannot be, out of the records, and why."""
    sizes = {workload: study["workloads"][workload] for workload in study["candidates"][name]["workloads"]}
    request = {
        "data_folder": "data/prepared",
        "workloads": sizes,
        "measurement": study["measurement"],
        "seed": study["seed"],
    }
    try:
        turns = time_side_by_side(side(study, name, old, kept), side(study, name, new, None), request)
    except SideFailed as failed:
        return timed_apart(name, old, new), f"{name}: the two versions could not be timed in turns: {failed}"
    versions = (str(old.backend["library_version"]), str(new.backend["library_version"]))
    return [
        Timed(
            candidate=name,
            versions=versions,
            workload=workload,
            ratio=own.ratio,
            taken="in turns",
            latency_ms=(centre_ms(own.baseline_ns, statistic), centre_ms(own.candidate_ns, statistic)),
            calls=int(own.candidate_ns.size),
        )
        for workload, (own, statistic) in turns.items()
    ], None


def timings(study: Mapping[str, Any], before: Snapshot, after: Snapshot, kept: Path) -> tuple[list[Timed], list[str]]:
    """Ratios of every candidate that both versions have measured, one after the other; and what is to be said of them."""
    found: list[Timed] = []
    notes: list[str] = []
    hold()  # another run beside it would be timed too
    try:
        for name, old, new in pairs_of(before, after):
            if old.status != "measured" or new.status != "measured":
                continue
            print(f"{name}: {old.backend['library_version']} and {new.backend['library_version']} in turns", flush=True)
            ratios, note = _in_turns(study, name, old, new, kept)
            found += ratios
            notes += [note] if note else []
    finally:
        release()
    return found, notes
