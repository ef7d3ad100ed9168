"""What DVC needs in a study's folder: dvc.yaml and, below studies/, a DVC repository of the study's own.

DVC reads every stage of a repository, whatever it is asked for: studies in one repository would pay for each other at every
command, and their experiments would copy each other's files (docs/decisions/0044).
"""

import os
import shutil
import subprocess
from pathlib import Path

from temper.artifacts.manifest import write_text
from temper.errors import ConfigError, ExperimentError
from temper.orchestration.dvc import dvc, last_words
from temper.orchestration.jobs import checkout_of
from temper.orchestration.pipeline import PARAMS, PIPELINE, has_other_rows_only, is_current, pipeline_text

LOCK = "dvc.lock"


def repro_command() -> str:
    """What runs the study of the working directory through DVC, as a fix line names it."""
    here = Path().resolve()
    return f"make repro STUDY={here.name}" if here.parent == checkout_of() / "studies" else "dvc repro"


def _needs_repository(study: Path, checkout: Path) -> bool:
    """Whether it has none yet, and may get one: what dvc.lock names lies in the cache of the repository that wrote it."""
    return (
        study != checkout
        and checkout in study.parents
        and (checkout / ".dvc").is_dir()
        and not (study / ".dvc").exists()
        and not (study / LOCK).exists()
    )


def _make_repository(study: Path, checkout: Path) -> None:
    """A .dvc folder with the checkout's settings and remotes; a remote's relative path leads to the same place."""
    from dvc.config import Config

    made = study / ".dvc"
    scratch = study / f".dvc.{os.getpid()}.partial"  # whole or not there: DVC believes in a folder without settings
    scratch.mkdir()
    try:
        for level in ("repo", "local"):
            given = Config(dvc_dir=str(checkout / ".dvc"), validate=False).load_one(level)
            if given:
                with Config(dvc_dir=str(scratch), validate=False).edit(level, validate=False) as own:
                    own.update(given)
        write_text(scratch / ".gitignore", "/config.local\n/tmp\n/cache\n")  # as `dvc init` writes it
        ignored = checkout / ".dvcignore"
        if not (study / ".dvcignore").exists():
            write_text(study / ".dvcignore", ignored.read_text(encoding="utf-8") if ignored.is_file() else "")
        scratch.rename(made)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _store_outside_files(study: Path) -> None:
    """Files that DVC tracked before lie in the checkout's cache: from now on they belong to this one."""
    for tracked in sorted((study / "data").glob("*.dvc")):
        if not tracked.with_suffix("").exists():
            continue
        command = ("--cd", str(study), "commit", tracked.relative_to(study).as_posix())
        done = dvc(*command, capture_output=True, stdin=subprocess.DEVNULL)  # no one answers: changed files are refused
        if done.returncode != 0:
            raise ExperimentError(
                asked=f"store {tracked.with_suffix('').name} of {study.name} in the study's own DVC repository",
                happened=last_words(done),
                affected="nothing: the files are as they were",
                fix=f"dvc commit {tracked.relative_to(study)} in the study's folder, which takes them as they are; then again",
            )


def make_ready(folder: str | Path = ".") -> list[str]:
    """Give a study what DVC needs and it has not: dvc.yaml with its stages, and below studies/ a repository of its own.

    Returns:
        What was written, staged in git where there is one, as paths from the study's folder.

    Raises:
        ConfigError: params.yaml cannot be resolved, or dvc.yaml was edited.
        ExperimentError: files in data/ are not those that DVC tracks.
    """
    study, checkout = Path(folder).resolve(), checkout_of(folder)
    written = []
    there = (study / PIPELINE).exists()
    if not there or not is_current(study):
        if there and not has_other_rows_only(study):
            raise _not_of_this_code()
        write_text(study / PIPELINE, pipeline_text(study))
        written.append(PIPELINE)
    if _needs_repository(study, checkout):
        _make_repository(study, checkout)
        _store_outside_files(study)
        written += [".dvc", ".dvcignore"]
    _stage(study, written)
    return written


def _stage(study: Path, written: list[str]) -> None:
    """Let git know what an experiment brings; DVC stages its other files itself (core.autostage).

    params.yaml, too, where git has not seen it: `dvc exp run --temp -S` removes one that git does not know.
    """

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=study, capture_output=True, text=True, check=False).stdout

    unknown = [PARAMS] if (study / PARAMS).is_file() and not git("ls-files", PARAMS) else []
    if written or unknown:
        git("add", "--", *written, *unknown)


def _not_of_this_code() -> ConfigError:
    return ConfigError(
        asked="run or record this study through DVC",
        happened=f"its {PIPELINE} is not what this checkout writes: it was written by other code, or edited",
        affected="nothing: no stage was started",
        fix=f"mv {PIPELINE} {PIPELINE}.old && temper track, which writes it anew; then the same command again",
    )


def check_pipeline(*, rows: bool = True) -> None:
    """Check that the stages of the study in the working directory are those of its params.yaml and of the checkout's Snakefile.

    Args:
        rows: whether it has to have the rows of today: not where it is written anew in a moment.

    Raises:
        ConfigError: its dvc.yaml has others: DVC would not know every job, or what it reads.
    """
    if not Path(PIPELINE).is_file() or is_current():
        return
    if not has_other_rows_only():
        raise _not_of_this_code()
    if not rows:
        return
    raise ConfigError(
        asked="run or record this study through DVC",
        happened=f"{PIPELINE} was written for other rows than params.yaml has now",
        affected="nothing: no stage was started",
        fix="temper track, which writes it anew, then dvc repro: params.yaml holds the change already. Rows that `dvc exp run` "
        "adds or removes in a temporary folder or a queue: change params.yaml, temper track, then dvc exp run without that -S",
    )
