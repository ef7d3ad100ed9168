"""One study's artifacts and outside files from a DVC remote: everything is fetched and checked before any file is touched.

Not `dvc pull`: without a target that means every study of the checkout, and what it cannot fetch it removes from its place.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from temper.artifacts.scratch import NOTES, scratch_folder
from temper.errors import ExperimentError
from temper.orchestration.fetch import fetch, open_remote
from temper.orchestration.jobs import run_command
from temper.orchestration.links import check_no_links
from temper.orchestration.remote_keys import check_no_keys
from temper.orchestration.run_lock import check_free
from temper.orchestration.set_aside import FOLDER, listed, nowhere_else, set_aside
from temper.orchestration.stored import Stored, cached, copy_object, files_of, md5, outputs, repository
from temper.orchestration.sync import sync
from temper.study.params_file import load_params
from temper.study.study import read_study


def _wanted(repo: Any, remote: Any, stored: Sequence[Stored], asked: str) -> tuple[dict[str, Stored], int, int]:
    """The files of what DVC stores, by path; objects and bytes that had to be fetched for their listings."""
    folders = {output.digest for output in stored if output.is_folder}
    count, size = fetch(repo, remote, [digest for digest in folders if cached(repo, digest) is None], asked)
    files = (file for output in stored for file in files_of(output, cached(repo, output.digest)))
    return {file.path: file for file in files}, count, size


def is_in_place(file: Stored) -> bool:
    """Whether the file that is there has the bytes that DVC stores."""
    path = Path(file.path)
    return path.is_file() and md5(path) == file.digest


def _files_at(path: str) -> Iterator[str]:
    """The file at a path, or every file below it; a link is one, wherever it leads."""
    if os.path.isdir(path) and not os.path.islink(path):
        yield from (
            found.as_posix() for found in sorted(Path(path).rglob("*")) if found.is_symlink() or not found.is_dir()
        )
    elif os.path.lexists(path):
        yield path


def in_the_way(stored: Sequence[Stored], wanted: Mapping[str, Stored], missing: Sequence[str]) -> list[str]:
    """Files that would have to leave their place: other bytes under a wanted path, and what a stored folder has not."""
    found = [file for path in missing for file in _files_at(path)]
    for path in missing:  # a file where a folder has to be
        found += [parent.as_posix() for parent in Path(path).parents if os.path.lexists(parent) and not parent.is_dir()]
    for folder in (output.path for output in stored if output.is_folder):
        if Path(folder).is_dir():
            inside = (
                path.as_posix() for path in sorted(Path(folder).rglob("*")) if not path.is_dir() or path.is_symlink()
            )
            found += [path for path in inside if path not in wanted and Path(path).name != ".gitignore"]
    return list(dict.fromkeys(found))


def _check_way(repo: Any, found: Sequence[str], asked: str) -> None:
    """Raise ExperimentError where a file that is in the way is nowhere else."""
    kept = nowhere_else(found, repo)
    if kept:
        raise ExperimentError(
            asked=asked,
            happened=f"in its place there is what DVC's cache does not hold: {listed(kept)}",
            affected="nothing: no file of the study was touched",
            fix=f"move it elsewhere, then again; or temper pull --force, which moves it to {FOLDER}/ in the study's folder",
        )


@contextmanager
def _copies(repo: Any, files: Sequence[Stored]) -> Iterator[list[Path]]:
    """Copies of the files, each checked, beside the artifacts: they have only to be moved into place."""
    place = (
        NOTES.parent / "pull"
    )  # the study's own memory, which a clone has not yet: what a kill leaves is noted there
    place.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(place) as scratch:
        for number, file in enumerate(files):
            source = cached(repo, file.digest)
            assert source is not None
            copy_object(source, scratch / str(number), file.executable)
        yield [scratch / str(number) for number in range(len(files))]


def _make_way(repo: Any, found: Sequence[str]) -> list[str]:
    """Take files out of the way, those that are nowhere else into set_aside/; say how many."""
    kept = nowhere_else(found, repo)
    folder = ""
    for path in found:
        if path in kept:
            folder = set_aside(path)
        else:
            Path(path).unlink()
    removed = [path for path in found if path not in kept]
    said = [f"replaced, of another version that DVC's cache has: {listed(removed)}"] if removed else []
    return said + ([f"moved to {folder}/: {listed(kept)}"] if kept else [])


def _put_in_place(copies: Sequence[Path], files: Sequence[Stored]) -> None:
    for copy, file in zip(copies, files, strict=True):
        target = Path(file.path)
        if target.is_dir():  # what was in it has been taken away
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(copy, target)
        except OSError:  # another file system, as where data/ is a link to another disk
            shutil.move(copy, target)


def pull(*, remote: str | None = None, force: bool = False) -> list[str]:
    """Bring the study in the working directory from a DVC remote, and let Snakemake know of it (`sync` with `keep`).

    Args:
        remote: its name; DVC's default one when None.
        force: where files that are nowhere else are in the way, move them to set_aside/.

    Returns:
        What was done, line by line.

    Raises:
        BusyError: a run works here.
        ConfigError: params.yaml cannot be read: what is pulled could not be checked; or .dvc/config holds a key.
        ExperimentError: no remote, one that does not answer, an object that is missing or damaged, or files in the way.
            No file of the study was touched.
    """
    asked = f"pull the study in {Path.cwd().name}/"
    check_free(asked)
    check_no_links(asked)
    check_no_keys(asked)
    read_study(load_params("params.yaml") or {})
    with repository(asked) as repo:
        opened = open_remote(repo, remote, asked)
        stored = outputs(repo, asked)
        if not stored:
            return [f"DVC stores nothing of this study yet, so there is nothing to pull; {run_command()} makes it"]
        wanted, objects, size = _wanted(repo, opened, stored, asked)
        missing = [path for path, file in wanted.items() if not is_in_place(file)]
        found = in_the_way(stored, wanted, missing)
        if not force:
            _check_way(repo, found, asked)
        lacking = sorted({wanted[path].digest for path in missing if cached(repo, wanted[path].digest) is None})
        more, bytes_more = fetch(repo, opened, lacking, asked)
        files = [wanted[path] for path in missing]
        with _copies(repo, files) as copies:
            said = _make_way(repo, found)
            _put_in_place(copies, files)
    total = f"{objects + more} objects ({(size + bytes_more) / 1024**2:.1f} MiB) fetched"
    return [f"{total}, {len(missing)} of {len(wanted)} files put in place", *said, *sync(keep=True)]
