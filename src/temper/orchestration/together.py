"""Several studies in one run: one after the other on this machine, side by side where a scheduler places the jobs.

What two of them make alike (data, a checkpoint, an export …) is made by the first and taken by the others, by content
(temper/orchestration/job_record.py). On one machine two runs at once would time each other's work. On a cluster only studies
that share work wait for each other.
"""

import glob
import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from temper.environment.own_process import environment, python_command
from temper.errors import ConfigError
from temper.orchestration.job_record import plain_settings
from temper.orchestration.jobs import Job, planned_jobs
from temper.orchestration.run_lock import BESIDE
from temper.orchestration.study_folder import check_study_folder

CHANGES_NO_RESULT = "it says in which order studies are run"
LOG = "logs/run.txt"  # of a study that is run beside others: what its run printed
INTERRUPTED = 130  # how a run ends that was told to
_MOST_AT_ONCE = 8  # runs that wait for a scheduler, each a process of Snakemake's
_WRITES_RESULTS = ("measure", "remeasure", "load_test", "report")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Ran:
    """A study of a run, and how its own run ended."""

    folder: Path
    code: int


def folders_of(named: Sequence[str]) -> list[Path]:
    """The studies' folders that names or patterns mean, each once, in their order.

    Args:
        named: folders; a pattern ('studies/*') means those folders among what it finds that hold a params.yaml.

    Raises:
        ConfigError: a folder that is named holds no params.yaml, or a pattern finds none.
    """
    found: dict[Path, None] = {}
    for name in named:
        pattern = any(letter in name for letter in "*?[")
        places = [Path(each) for each in sorted(glob.glob(name))] if pattern else [Path(name)]
        studies = [place.resolve() for place in places if (place / "params.yaml").is_file()]
        if not pattern:
            check_study_folder(name, f"find the studies {' '.join(named)}", "nothing was begun", option="")
        elif not studies:
            raise ConfigError(
                asked=f"find the studies {' '.join(named)}",
                happened=f"{name} finds no folder with a params.yaml",
                affected="nothing was begun",
                fix="name folders of studies: temper studies lists those of this checkout",
            )
        found |= dict.fromkeys(studies)
    return list(found)


def _made(jobs: Sequence[Job]) -> set[str]:
    """What a study makes, as two of them can be held against each other before anything is there: job and settings."""
    return {f"{job.name} {plain_settings(job.settings)}" for job in jobs if job.rule not in _WRITES_RESULTS}


def sharing(made: Sequence[set[str]]) -> list[list[int]]:
    """Groups of studies that make something alike, directly or by way of others, in their order.

    Args:
        made: of each study what it makes.
    """
    groups: list[tuple[set[str], list[int]]] = []
    for number, own in enumerate(made):
        joined, members = set(own), [number]
        for group in [each for each in groups if each[0] & own]:
            groups.remove(group)
            joined, members = joined | group[0], [*group[1], *members]
        groups.append((joined, sorted(members)))
    return sorted(members for _, members in groups)


def _one(folder: Path, others: Sequence[Path], options: Sequence[str], log: Path | None) -> Ran:
    command = python_command("-m", "temper.cli", "run", "-C", str(folder), *options)
    own = environment(**{BESIDE: os.pathsep.join(map(str, others))})
    if log is None:
        return Ran(folder, subprocess.run(command, env=own, check=False).returncode)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as said:
        return Ran(folder, subprocess.run(command, env=own, check=False, stdout=said, stderr=said).returncode)


def run_together(folders: Sequence[Path], options: Sequence[str], *, scheduled: bool, say: Say) -> list[Ran]:
    """Run studies; one that fails keeps no other from running.

    Args:
        folders: of the studies.
        options: of `temper run` for each of them.
        scheduled: a scheduler places the jobs: studies that share nothing are run side by side.
        say: is told what begins and how it ended.

    Returns:
        How each ended, in the order of the folders.

    Raises:
        KeyboardInterrupt: one of them was ended; those that were not begun are not.
    """

    def run_group(members: Sequence[int], log: str | None) -> list[Ran]:
        found = []
        for place, number in enumerate(members, start=1):
            folder = folders[number]
            say(f"{folder.name}: begins" + (f" ({place} of {len(members)})" if log is None else f": {folder / log}"))
            others = [each for each in folders if each != folder]
            found.append(_one(folder, others, options, None if log is None else folder / log))
            if found[-1].code == INTERRUPTED:
                break  # and what would follow is not begun
            say(f"{folder.name}: " + ("done" if found[-1].code == 0 else f"failed (exit code {found[-1].code})"))
        return found

    groups = sharing([_made(planned_jobs(folder)) for folder in folders]) if scheduled else [list(range(len(folders)))]
    with ThreadPoolExecutor(min(len(groups), _MOST_AT_ONCE)) as pool:
        ran = [
            each
            for group in pool.map(lambda group: run_group(group, LOG if scheduled else None), groups)
            for each in group
        ]
    if any(each.code == INTERRUPTED for each in ran):
        raise KeyboardInterrupt
    return sorted(ran, key=lambda each: folders.index(each.folder))
