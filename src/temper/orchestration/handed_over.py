"""Whether DVC and git know of a study's results: DVC takes from its place what it has no record of, before any stage runs."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from temper.artifacts.scratch import is_scratch
from temper.errors import ArtifactError, ExperimentError
from temper.orchestration.jobs import Job
from temper.orchestration.pipeline import kept_paths
from temper.orchestration.set_aside import listed, nowhere_else
from temper.orchestration.states import states
from temper.orchestration.stored import outputs, repository
from temper.orchestration.study_repository import LOCK
from temper.reading.typed import temper_command

_GUIDE = "docs/how-to/compare-calibrations.md"


def commit_command() -> str:
    """What hands the study of the working directory to DVC, as a fix line names it."""
    return temper_command("commit")


def _fix() -> str:
    return (
        f"{commit_command()}, once the study is finished, then git add what it names, and git commit ({_GUIDE}); "
        "then the same command again"
    )


def unrecorded(asked: str) -> list[str]:
    """Files where DVC's stages put theirs, of outputs that its dvc.lock does not name and whose bytes its cache does not hold.

    Raises:
        ExperimentError: DVC cannot say what it stores of the study.
        ConfigError: params.yaml cannot be resolved.
    """
    with repository(asked) as repo:
        stored = {output.path for output in outputs(repo, asked)}
        places = [Path(path) for path in kept_paths() if path not in stored]
        files = [file for place in places for file in (place, *sorted(place.rglob("*"))) if file.is_file()]
        mine = [file.as_posix() for file in files if file.name != ".gitignore" and not is_scratch(file)]
        return nowhere_else(mine, repo)


def check_recorded(asked: str) -> None:
    """Refuse to let DVC begin where it would remove results that it has no record of.

    Raises:
        ExperimentError: there are such, or DVC cannot say what it stores.
    """
    found = unrecorded(asked)
    if found:
        never = "was never handed to DVC" if not Path(LOCK).is_file() else "has results that were not handed to DVC"
        raise ExperimentError(
            asked=asked,
            happened=f"this study {never}, which would remove them and make them anew: {listed(found)}",
            affected="nothing: no file was touched",
            fix=_fix(),
        )


def check_finished_is_recorded(asked: str, jobs: Sequence[Job]) -> None:
    """Refuse to let DVC make a finished study anew of which it knows nothing: it removes what is there first.

    Raises:
        ArtifactError: every job's outputs are current, and there is no dvc.lock.
    """
    if Path(LOCK).is_file() or not jobs or not all(Path(output).is_file() for job in jobs for output in job.outputs):
        return
    if all(state.current for state in states(jobs).values()):
        raise ArtifactError(
            asked=asked,
            happened=f"this study is finished and was never handed to DVC (no {LOCK}), which would make all of it anew",
            affected="nothing: no stage was started",
            fix=_fix(),
        )


def check_committed(asked: str) -> None:
    """Refuse where git's last commit has not the DVC repository of the study in the working directory: experiments belong to it.

    Outside git nothing is said: DVC does it.

    Raises:
        ExperimentError: nobody has committed it yet.
    """
    here = Path().resolve()
    root = next((place for place in (here, *here.parents) if (place / ".dvc").is_dir()), None)
    if root is None or _git(root, "rev-parse", "--git-dir") is None or _git(root, "ls-tree", "HEAD", ".dvc"):
        return
    raise ExperimentError(
        asked=asked,
        happened="this study is not committed yet: git's last commit does not hold it, and DVC keeps experiments by commit",
        affected="nothing: no file was touched",
        fix=_fix(),
    )


def _git(folder: Path, *arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
