"""What DVC stores of one study: its outputs by digest, and the objects of them that this checkout's cache holds.

Asked of the study's own dvc.yaml and data/*.dvc, never of the whole checkout: the other studies may be unfinished, or running.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.artifacts.inside import why_not_below
from temper.errors import ExperimentError
from temper.reading.json_file import read_json

FOLDER_DIGEST = ".dir"  # how DVC's digest of a folder ends; its object lists the folder's files


@dataclass(frozen=True)
class Stored:
    """A file or folder that DVC stores: its path from the study's folder and the MD5 that is DVC's name for it."""

    path: str
    digest: str
    executable: bool = False

    @property
    def is_folder(self) -> bool:
        return self.digest.endswith(FOLDER_DIGEST)


def md5(path: str | Path) -> str:
    """MD5 of a file's bytes, in hexadecimal: what DVC names objects by."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


@contextmanager
def repository(asked: str) -> Iterator[Any]:
    """The DVC repository around the working directory.

    Raises:
        ExperimentError: there is none, or it cannot be read.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        opened = Repo()
    except DvcException as error:
        raise ExperimentError(
            asked=asked,
            happened=" ".join(str(error).split()),
            affected="nothing: no file was touched",
            fix="run it in a git checkout with a .dvc folder; dvc init makes one",
        ) from None
    with opened as found:
        yield found


def outputs(repo: Any, asked: str) -> list[Stored]:
    """What DVC stores of the study in the working directory; a stage that was never run has nothing yet.

    Raises:
        ExperimentError: its dvc.yaml or a .dvc file cannot be read, or was written by DVC 2.
    """
    found = []
    try:
        for file in ["dvc.yaml"] * Path("dvc.lock").is_file() + sorted(map(str, Path("data").glob("*.dvc"))):
            for stage in repo.stage.load_file(os.path.abspath(file)):
                for out in stage.outs:
                    if not out.use_cache or not out.hash_info:
                        continue
                    if out.hash_info.name != "md5":
                        raise ValueError(f"{file} is of DVC 2 (dvc cache migrate --dvc-files brings it up to date)")
                    path = os.path.relpath(out.fs_path)
                    found.append(Stored(path, out.hash_info.value, bool(out.meta and out.meta.isexec)))
    except Exception as error:  # each kind of broken file has its own
        raise ExperimentError(
            asked=asked,
            happened=" ".join(f"{type(error).__name__}: {error}".split())[:600],
            affected="nothing: no file was touched",
            fix="correct the file that it names; git diff shows what was changed in it",
        ) from None
    return found


def cached(repo: Any, digest: str) -> Path | None:
    """The object in this checkout's cache; None where it is not there, or its bytes are not of its name."""
    path = Path(repo.cache.local.oid_to_path(digest))
    if not path.is_file() or md5(path) != digest.removesuffix(FOLDER_DIGEST):
        return None
    return path


def files_of(output: Stored, listing: Path | None) -> list[Stored]:
    """The files of an output: itself, or what the listing of its folder (an object of DVC's) names."""
    if not output.is_folder:
        return [output]
    assert listing is not None
    entries = _entries(listing)
    return [Stored(f"{output.path}/{entry['relpath']}", entry["md5"]) for entry in entries]


def _entries(listing: Path) -> list[dict[str, Any]]:
    """What the listing of a folder names: paths below it, each with its digest.

    Raises:
        ExperimentError: it is none; a remote may hold anything.
    """
    try:
        found = read_json(listing)
        outside = [why for entry in found if (why := why_not_below(str(entry["relpath"]), ".")) is not None]
        if outside or not all(isinstance(entry["md5"], str) for entry in found):
            raise ValueError(outside[0] if outside else "a digest is no text")
        return list(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExperimentError(
            asked=f"read DVC's listing of a folder, {listing.name}",
            happened=f"{type(error).__name__}: {error}",
            affected="nothing: no file was put here",
            fix="dvc push it again from a checkout that has it whole, then temper pull",
        ) from None


def copy_object(source: Path, target: Path, executable: bool = False) -> None:
    """A copy of an object that may be written to: shares its blocks on the disk where the file system can."""
    from dvc_objects.fs.local import localfs

    with suppress(OSError):
        target.unlink(missing_ok=True)
        localfs.reflink(str(source), str(target))
    if not target.is_file():
        shutil.copyfile(source, target)
    mask = os.umask(0)
    os.umask(mask)
    target.chmod((0o777 if executable else 0o666) & ~mask)
