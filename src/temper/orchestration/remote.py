"""A DVC remote held against the digests of what it should hold.

DVC believes what a remote lists: an object that a killed push or a failing disk cut short is 'in sync' for it. Reading every
object back is the only way to know.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from temper.errors import ExperimentError
from temper.orchestration.stored import cached, files_of, outputs


@dataclass(frozen=True)
class RemoteCheck:
    """What was found: digests (MD5, DVC's own) of objects that are whole, that were damaged, and that were not there."""

    whole: tuple[str, ...]
    damaged: tuple[str, ...]
    missing: tuple[str, ...]


def _digests(repo: Any, asked: str) -> Iterator[str]:
    """Digest of every object that the study's outputs need, those inside folders too."""
    for output in outputs(repo, asked):
        listing = cached(repo, output.digest)
        if output.is_folder and listing is None:
            raise FileNotFoundError(f"what {output.path}/ holds: its listing is not in this checkout's cache")
        yield output.digest
        yield from (file.digest for file in files_of(output, listing))


def _check(repo: Any, remote: Any, asked: str) -> RemoteCheck:
    from dvc_objects.errors import ObjectFormatError

    whole, damaged, missing = [], [], []
    for digest in dict.fromkeys(_digests(repo, asked)):
        try:
            remote.check(digest, check_hash=True)  # removes a damaged object
            whole.append(digest)
        except ObjectFormatError:
            damaged.append(digest)
        except FileNotFoundError:
            missing.append(digest)
    return RemoteCheck(tuple(whole), tuple(damaged), tuple(missing))


def _push_again(repo: Any, remote: Any, digests: Sequence[str]) -> list[str]:
    """Copy objects from this checkout's cache to the remote; return those that the cache has not either.

    Not `dvc push`: that goes by what it remembers of the remote.
    """
    cache, lost = repo.cache.local, []
    for digest in digests:
        if cache.exists(digest):
            remote.add(cache.oid_to_path(digest), cache.fs, digest)
        else:
            lost.append(digest)
    return lost


def verify_remote(name: str | None) -> list[str]:
    """Check a remote and push again what was damaged or not there.

    Args:
        name: of the remote; DVC's default one when None.

    Returns:
        What was found and done, line by line.

    Raises:
        ExperimentError: the remote cannot be read, or an object can be had neither there nor here.
    """
    from dvc.repo import Repo

    asked = f"read the objects of this study back from the remote {name or '(default)'}"
    try:
        repo = Repo()
        remote = repo.cloud.get_remote_odb(name, "verify-remote")
        found = _check(repo, remote, asked)
        lost = _push_again(repo, remote, (*found.damaged, *found.missing))
    except Exception as error:  # each kind of remote has its own
        raise ExperimentError(
            asked=asked,
            happened=f"{type(error).__name__}: {error}",
            affected="nothing: what could not be read was left as it is",
            fix="dvc remote list shows the remotes, dvc remote add -d NAME URL adds one; look at its server and your network",
        ) from None
    if lost:
        raise ExperimentError(
            asked=asked,
            happened=f"{len(lost)} objects are damaged or missing there, and this checkout's cache has them not either",
            affected="a clone of this study cannot pull them",
            fix="run temper verify-remote in a checkout whose cache has them, or make them anew (dvc repro), then again",
        )
    said = [f"damaged on the remote: {digest}" for digest in found.damaged]
    said += [f"not on the remote: {digest}" for digest in found.missing]
    again = len(found.damaged) + len(found.missing)
    if again:
        said.append(f"pushed again: {again} objects")
    return [*said, f"{len(found.whole)} of {len(found.whole) + again} objects were whole"]
