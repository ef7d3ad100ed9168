"""A DVC remote held against the digests of what it should hold.

DVC believes what a remote lists: an object that a killed push or a failing disk cut short is 'in sync' for it. Reading every
object back is the only way to know.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from temper.errors import ExperimentError
from temper.tracking.dvc import ask_dvc


@dataclass(frozen=True)
class RemoteCheck:
    """What was found: digests (MD5, DVC's own) of objects that are whole, that were damaged, and that were not there."""

    whole: tuple[str, ...]
    damaged: tuple[str, ...]
    missing: tuple[str, ...]


def _digests(repo: Any) -> Iterator[str]:
    """Digest of every object that this checkout's outputs need, those inside folders too."""
    from dvc_data.hashfile import load

    for hashes in repo.used_objs().values():
        for hash_info in hashes:
            yield hash_info.value
            if hash_info.isdir:
                yield from (inner.value for _, _, inner in load(repo.cache.local, hash_info))


def check_remote(name: str | None) -> RemoteCheck:
    """Read every object of this checkout back from the remote; a damaged one is removed there.

    Args:
        name: of the remote; DVC's default one when None.

    Raises:
        ExperimentError: there is no such remote, it cannot be reached, or this checkout's own cache lacks a folder's list.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_data.hashfile.db import get_index
    from dvc_objects.errors import ObjectFormatError

    whole, damaged, missing = [], [], []
    try:
        repo = Repo()
        remote = repo.cloud.get_remote_odb(name, "verify-remote")
        for digest in dict.fromkeys(_digests(repo)):
            try:
                remote.check(digest, check_hash=True)
                whole.append(digest)
            except ObjectFormatError:
                damaged.append(digest)
                if remote.exists(digest):
                    remote.delete(digest)
            except FileNotFoundError:
                missing.append(digest)
        if damaged or missing:
            get_index(remote).clear()  # DVC remembers which folders it once pushed whole
    except (DvcException, OSError) as error:
        raise ExperimentError(
            asked=f"read the objects of this study back from the remote {name or '(default)'}",
            happened=f"{type(error).__name__}: {error}",
            spoiled="nothing: neither the remote nor this checkout was changed",
            fix="dvc remote list shows the remotes, dvc remote add -d NAME URL adds one; look at its server and your network",
        ) from None
    return RemoteCheck(tuple(whole), tuple(damaged), tuple(missing))


def verify_remote(name: str | None) -> list[str]:
    """Check a remote and push again what was damaged or not there.

    Args:
        name: of the remote; DVC's default one when None.

    Returns:
        What was found and done, line by line.

    Raises:
        ExperimentError: the remote cannot be read, or an object can be had neither there nor here.
    """
    found = check_remote(name)
    said = [f"damaged on the remote: {digest}" for digest in found.damaged]
    said += [f"not on the remote: {digest}" for digest in found.missing]
    if found.damaged or found.missing:
        ask_dvc(
            "push",
            *(() if name is None else ("--remote", name)),
            spoiled="what is listed as damaged or missing: it is not on the remote",
            fix="run temper verify-remote in a checkout whose cache has it, or make it anew (dvc repro) and push",
        )
        again = check_remote(name)
        if again.damaged or again.missing:
            raise ExperimentError(
                asked="push again what was damaged or missing on the remote",
                happened=f"{len(again.damaged) + len(again.missing)} objects are still not whole there",
                spoiled="a clone of this study cannot pull them",
                fix="run temper verify-remote in a checkout whose cache has them, or make them anew (dvc repro) and push",
            )
        said.append(f"pushed again: {len(found.damaged) + len(found.missing)} objects")
    said.append(
        f"{len(found.whole)} of {len(found.whole) + len(found.damaged) + len(found.missing)} objects were whole"
    )
    return said
