"""The studies of a checkout, and what was last measured of each: computed from the records in results/."""

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from temper.errors import ArtifactError, ConfigError
from temper.report.files import LEFT_OUT
from temper.studies.about import FILE, About, read_about

NOT_MEASURED = "not measured"
HEADER = ("study", "needs", "minutes (estimate)", "last measured", "shows")


@dataclass(frozen=True)
class Filed:
    """What results/<machine>/<study>/ holds.

    measured, candidates: candidates with figures, and all of them, those that were left out included.
    commit: seconds since 1970 and 'date (commit)' of the newest commit that filed something there; None outside git, or
        before the first.
    """

    machine: str
    measured: int
    candidates: int
    commit: tuple[int, str] | None

    def __str__(self) -> str:
        when = "not committed" if self.commit is None else self.commit[1]
        return f"{self.machine}: {self.measured} of {self.candidates} candidates, {when}"


@dataclass(frozen=True)
class Listed:
    """A study: its folder's name ('params.yaml' of the checkout is the embedded one), and what is said of it."""

    folder: str
    study: str
    about: About | None
    filed: tuple[Filed, ...]

    def cells(self) -> tuple[str, ...]:
        """One cell for each column of HEADER."""
        needs, minutes, title = "not said", "not estimated", f"no {FILE}"
        if self.about is not None:
            needs, title = str(self.about.needs), self.about.title
            minutes = minutes if self.about.minutes is None else f"about {self.about.minutes}"
        return self.folder, needs, minutes, "; ".join(map(str, self.filed)) or NOT_MEASURED, title


def _unreadable(file: Path, what: str, error: Exception) -> ArtifactError:
    return ArtifactError(
        asked=f"say what was measured, from {file}",
        happened=f"it is not {what} ({type(error).__name__}: {error})",
        spoiled="the list of studies; no study is changed by it",
        fix="restore it (git checkout), or file the study's records anew (make results)",
    )


def _status(record: Path) -> str:
    """The `status` of a record; the rest of it may be megabytes of latencies."""
    try:
        return str(json.loads(record.read_text(encoding="utf-8"))["status"])
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(record, "a record", error) from None


def _left_out(folder: Path) -> int:
    """Candidates that a study had and that were not measured when a part of it was filed."""
    file = folder / LEFT_OUT
    if not file.is_file():
        return 0
    try:
        return sum(job.startswith("measure ") for job in dict(json.loads(file.read_text(encoding="utf-8"))))
    except (ValueError, TypeError) as error:
        raise _unreadable(file, "a list of what was left out", error) from None


def _commit(folder: Path) -> tuple[int, str] | None:
    command = ["git", "log", "-1", "--format=%ct %cs (%h)", "--", "."]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    seconds, _, shown = done.stdout.strip().partition(" ")
    return (int(seconds), shown) if shown else None


def filed(checkout: Path, study: str) -> tuple[Filed, ...]:
    """What the machines of results/ measured of a study, newest commit first; machines that measured nothing are left out."""
    found = []
    for folder in sorted(checkout.glob(f"results/*/{study}/measurements")):
        states = [_status(record) for record in sorted(folder.glob("*.json"))]
        if measured := states.count("measured"):
            candidates = len(states) + _left_out(folder.parent)
            found.append(Filed(folder.parents[1].name, measured, candidates, _commit(folder)))
    return tuple(sorted(found, key=lambda one: one.commit or (0, ""), reverse=True))


def _study_name(params: Path) -> str:
    try:
        content = yaml.safe_load(params.read_text(encoding="utf-8"))
        return str(content["study"])
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ConfigError(
            asked=f"list the study of {params}",
            happened=f"{type(error).__name__}: {error}",
            spoiled="the list of studies; no study is changed by it",
            fix=f"temper check {params}",
        ) from None


def listed(checkout: Path) -> list[Listed]:
    """The embedded study, and every folder below studies/ that has a params.yaml, by name.

    Raises:
        ConfigError: a params.yaml names no study, or an about.yaml has other keys.
        ArtifactError: what lies under results/ is no record.
    """
    found = []
    for params in (checkout / "params.yaml", *sorted(checkout.glob("studies/[!.]*/params.yaml"))):
        about = params.with_name(FILE)
        name = _study_name(params)
        found.append(
            Listed(
                folder="params.yaml" if params.parent == checkout else params.parent.name,
                study=name,
                about=read_about(about) if about.is_file() else None,
                filed=filed(checkout, name),
            )
        )
    return found


def table(studies: Iterable[Listed]) -> list[str]:
    """Aligned lines, a study each, whatever the terminal's width: the last column is the longest."""
    lines: list[Sequence[str]] = [HEADER, *(study.cells() for study in studies)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
