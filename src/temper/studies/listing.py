"""The studies of a checkout, and what was last measured of each: computed from the records in results/."""

import os
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from temper.errors import ArtifactError, ConfigError
from temper.reading.json_file import read_object
from temper.report.files import LEFT_OUT
from temper.report.filing import filed_on
from temper.report.packed import RECORDS
from temper.studies.about import FILE, About, read_about
from temper.study.params_file import load_params

NOT_MEASURED = "not measured"
HEADER = ("study", "needs", "minutes (estimate)", "last measured", "shows")


@dataclass(frozen=True)
class Filed:
    """What results/<machine>/<study>/ holds.

    measured, candidates: candidates with figures, and all of them, those that were left out included.
    day: on which they were filed, 'YYYY-MM-DD'; None where a person put them there.
    """

    machine: str
    measured: int
    candidates: int
    day: str | None

    def __str__(self) -> str:
        return f"{self.machine}: {self.measured} of {self.candidates} candidates, {self.day or 'without a date'}"


@dataclass(frozen=True)
class Listed:
    """A study: its folder's name ('params.yaml' of the checkout is the embedded one), and what is said of it.

    broken: why nothing can be said, in words, with the command that says it again; None of a study that can be read.
    """

    folder: str
    study: str
    about: About | None
    filed: tuple[Filed, ...]
    broken: str | None = None

    def cells(self) -> tuple[str, ...]:
        """One cell for each column of HEADER."""
        if self.broken is not None:
            return self.folder, "not known", "not estimated", "not known", "it cannot be read"
        needs, minutes, title = "not said", "not estimated", f"no {FILE}"
        if self.about is not None:
            needs, title = str(self.about.needs), self.about.title
            minutes = minutes if self.about.minutes is None else f"about {self.about.minutes}"
        return self.folder, needs, minutes, "; ".join(map(str, self.filed)) or NOT_MEASURED, title


def _unreadable(file: Path, what: str, error: Exception) -> ArtifactError:
    return ArtifactError(
        asked=f"say what was measured, from {file}",
        happened=f"it is not {what} ({type(error).__name__}: {error})",
        affected="the list of studies; no study is changed by it",
        fix="restore it (git checkout), or file the study's records anew (temper results)",
    )


def _states(records: Path) -> list[str]:
    """The `status` of each record."""
    try:
        return [str(record["status"]) for record in read_object(records).values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(records, "a file of records", error) from None


def _left_out(folder: Path) -> int:
    """Candidates that a study had and that were not measured when a part of it was filed."""
    file = folder / LEFT_OUT
    if not file.is_file():
        return 0
    try:
        return sum(job.startswith("measure ") for job in read_object(file))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _unreadable(file, "a list of what was left out", error) from None


def filed(checkout: Path, study: str) -> tuple[Filed, ...]:
    """What the machines of results/ measured of a study, newest first; machines that measured nothing are left out."""
    found = []
    for records in sorted(checkout.glob(f"results/*/{study}/{RECORDS}")):
        folder, states = records.parent, _states(records)
        if measured := states.count("measured"):
            candidates = len(states) + _left_out(folder)
            found.append(Filed(folder.parent.name, measured, candidates, filed_on(folder)))
    return tuple(sorted(found, key=lambda one: one.day or "", reverse=True))


def _study_name(params: Path) -> str:
    """The name of a study; where its params.yaml has none, the error is what `temper check` says."""
    try:
        content = load_params(params)
        if isinstance(content, dict) and "study" not in content:
            from temper.study.study import read_study  # all of a study's code, which a list of sound ones does without

            read_study(content)
        return str(content["study"])
    except (ConfigError, KeyError, TypeError) as error:
        if isinstance(error, ConfigError):
            happened = error.happened
        else:
            happened = "it holds no keys" if isinstance(error, TypeError) else "it has no key `study`"
        raise ConfigError(
            asked=f"list the study of {params}",
            happened=" ".join(happened.split()),
            affected="the list of studies; no study is changed by it",
            fix=f"temper check {os.path.relpath(params)}",
        ) from None


def listed(checkout: Path) -> list[Listed]:
    """The embedded study, and every folder below studies/ that has a params.yaml, by name.

    A study whose params.yaml names none, whose about.yaml has other keys or whose filed records are none is in the list as
    broken, and keeps no other from it.
    """
    found = []
    for params in (checkout / "params.yaml", *sorted(checkout.glob("studies/[!.]*/params.yaml"))):
        folder = "params.yaml" if params.parent == checkout else params.parent.name
        about = params.with_name(FILE)
        try:
            name = _study_name(params)
            told = read_about(about) if about.is_file() else None
            found.append(Listed(folder, name, told, filed(checkout, name)))
        except (ConfigError, ArtifactError) as error:
            found.append(Listed(folder, "", None, (), broken=f"{error.happened}; fix: {error.fix}"))
    return found


def table(studies: Iterable[Listed], width: int | None = None) -> list[str]:
    """Aligned lines, a study each; where a terminal of `width` columns has no room for that, three short lines each."""
    lines: list[Sequence[str]] = [HEADER, *(study.cells() for study in studies)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    if width is not None and sum(widths) + 2 * len(widths) > width:
        return [line for cells in lines[1:] for line in _below(cells, width)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _below(cells: Sequence[str], width: int) -> list[str]:
    """A study's name, and below it what it shows, what it needs and what was measured."""
    study, needs, minutes, measured, shows = cells
    took = f"{minutes} minutes" if minutes.startswith("about") else minutes
    said = (shows, f"needs {needs}; {took}", measured if measured == NOT_MEASURED else f"measured on {measured}")
    wrapper = textwrap.TextWrapper(width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    return [study, *(line for text in said for line in wrapper.wrap(text))]
