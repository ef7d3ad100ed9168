"""What Temper made of a study's folder, and what in it is a person's: what `temper remove` and `temper init --force` go by."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from temper.artifacts.manifest import read_document, sha256, write_text
from temper.errors import ConfigError, PipelineError
from temper.orchestration.clean import look
from temper.orchestration.links import check_no_links
from temper.orchestration.pipeline import PIPELINE, is_current
from temper.orchestration.run_lock import check_free
from temper.orchestration.set_aside import listed

NOTE = ".made.json"
_WHOLE = (".snakemake/", ".dvc/cache/", ".dvc/tmp/")  # nobody else writes there
_GENERATED = (NOTE, "dvc.lock", "settings.json", "kept_versions.json")


@dataclass(frozen=True)
class Contents:
    """Files of a study's folder, as paths from it.

    made: as Temper wrote them.
    others: put there, or changed, by somebody else.
    measurements: records of measuring among those that Temper made.
    """

    made: list[str]
    others: list[str]
    measurements: int


def _files(study: Path) -> list[str]:
    found: list[str] = []
    for place, folders, names in os.walk(study):
        names += [name for name in folders if (Path(place) / name).is_symlink()]  # a link, not what it leads to
        found += [(Path(place) / name).relative_to(study).as_posix() for name in names]
    return sorted(found)


def note_files(study: Path) -> None:
    """Note every file of a new study with its digest; what lies there later, or has other bytes, is somebody else's."""
    files = [file for file in _files(study) if not file.startswith(_WHOLE) and file != NOTE]
    noted = {file: sha256(study / file) for file in files if (study / file).is_file()}
    write_text(study / NOTE, json.dumps(noted, indent=1) + "\n")
    _stage(study, [NOTE, *(file for file in noted if "/" not in file)])


def _stage(study: Path, files: list[str]) -> None:
    """Where DVC has staged its files of the study in git, stage those beside them: a commit of half of them is no study."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(study), *arguments], capture_output=True, text=True, check=False)
        return done.stdout

    if git("ls-files", "--", "."):
        git("add", "--", *files)


def contents(study: Path, asked: str) -> Contents:
    """Hold a study's files against what `temper init` and job records say of them.

    Args:
        study: its folder.
        asked: what it is for, as an error says it.

    Raises:
        BusyError: a run works there.
        StorageError: a folder of the study is a link to somewhere else.
        ConfigError: `temper init` did not make it.
    """
    if not (study / NOTE).is_file():
        raise ConfigError(
            asked=asked,
            happened=f"temper init did not make {study}: it has no {NOTE}",
            affected="nothing: nothing was removed",
            fix=f"temper clean -C {study} removes what its runs made; the rest is yours to remove",
        )
    noted = read_document(study / NOTE)
    before = Path.cwd()
    os.chdir(study)  # job records name their files from there
    try:
        check_free(asked)
        check_no_links(asked)
        found = look()
    finally:
        os.chdir(before)
    ours = {*found.made, *_GENERATED, *([PIPELINE] if _is_written_by_us(study) else [])}
    made: list[str] = []
    others: list[str] = []
    for file in _files(study):
        own = file in ours or file.startswith(_WHOLE) or (file in noted and _is(study / file, noted[file]))
        (made if own else others).append(file)
    return Contents(made, others, found.measurements)


def _is_written_by_us(study: Path) -> bool:
    """Whether its dvc.yaml has the stages of its rows: `temper track` writes it anew where they change."""
    try:
        return (study / PIPELINE).is_file() and is_current(study)
    except PipelineError:  # rows that cannot be resolved have no stages
        return False


def _is(file: Path, digest: str) -> bool:
    return file.is_file() and sha256(file) == digest


def in_words(study: Path, found: Contents) -> str:
    """What Temper made of it: '41 files (312.0 MiB), 11 measurements among them'."""
    mib = sum(os.lstat(study / file).st_size for file in found.made) / 1024**2
    measured = f", {found.measurements} measurements among them" if found.measurements else ""
    return f"{len(found.made):,} files that Temper made ({mib:.1f} MiB{measured})"


def remove(study: Path, found: Contents) -> None:
    """Remove what Temper made, and folders that are empty then."""
    _unstage(study, found.made)
    for file in found.made:
        (study / file).unlink()
    for place, _, _ in os.walk(study, topdown=False):
        if not any(Path(place).iterdir()):
            Path(place).rmdir()


def _unstage(study: Path, files: list[str]) -> None:
    """Take out of git's index what no commit has: `temper init` staged it, and DVC's experiments bring back what is staged."""

    def git(*arguments: str, given: str = "") -> str:
        done = subprocess.run(["git", *arguments], cwd=study, input=given, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    added = git("diff", "--cached", "--name-only", "--diff-filter=A", "--relative", "-z").split("\0")
    going = sorted(set(added) & set(files))
    if going:
        git("update-index", "--force-remove", "-z", "--stdin", given="".join(f"{file}\0" for file in going))


def check_replaceable(study: Path) -> Contents:
    """What a new study may take the place of.

    Raises:
        ConfigError: something in its folder was put there, or changed, by somebody else.
    """
    asked = f"make the study {study.name} anew (--force)"
    found = contents(study, asked)
    if found.others:
        raise ConfigError(
            asked=asked,
            happened=f"studies/{study.name} holds what is not as Temper wrote it: {listed(found.others)}",
            affected="nothing: no study was made, and nothing was removed",
            fix="move that elsewhere, then the same command again; or choose another name",
        )
    return found
