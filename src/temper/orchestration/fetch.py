"""Objects from a DVC remote into this checkout's cache, each read back before it counts as there."""

import errno
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from temper.errors import ExperimentError
from temper.orchestration.dvc import S3_ATTEMPTS
from temper.orchestration.set_aside import listed
from temper.orchestration.stored import FOLDER_DIGEST, md5

ANSWER_S = 30.0  # for a remote to answer at all; libraries try again for minutes
SAY_EVERY_S = 10.0  # how much has arrived, where the output is no terminal
_ARRIVING = "temper-fetch."
UNTOUCHED = "nothing: no file of the study was touched"


def open_remote(repo: Any, name: str | None, asked: str) -> Any:
    """The object store of a remote; nothing is asked of it yet.

    Raises:
        ExperimentError: there is no such remote.
    """
    from dvc.exceptions import DvcException

    for variable, value in S3_ATTEMPTS.items():
        os.environ.setdefault(variable, value)
    try:
        return repo.cloud.get_remote_odb(name, "pull")
    except DvcException as error:
        known = sorted(repo.config["remote"])
        if name is not None:
            happened = f"there is no remote {name}" if name not in known else " ".join(str(error).split())
        else:
            happened = "no remote is set, from which DVC could fetch" if not known else "no remote is the default one"
        one = f"; or name one with --remote: {', '.join(known)}" if known else ""
        raise ExperimentError(
            asked=asked,
            happened=happened,
            affected=UNTOUCHED,
            fix=f"dvc remote add --default NAME URL, with the folder or bucket that holds the artifacts{one}; then again",
        ) from None


def _within(limit_s: float, function: Callable[[], list[str]]) -> list[str]:
    """What a function returns.

    Raises:
        TimeoutError: it had not returned after so many seconds; it is left to itself.
    """
    results: list[list[str]] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(limit_s)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {limit_s:g} s")
    return results[0]


def _there(remote: Any, digests: Sequence[str]) -> list[str]:
    """Those that the remote lists.

    Not `oids_exist`: of a folder that removes what it finds damaged.
    """
    from dvc_objects.fs.local import LocalFileSystem

    if isinstance(remote.fs, LocalFileSystem) and not Path(remote.path).parents[1].is_dir():
        raise FileNotFoundError(f"there is no folder {Path(remote.path).parents[1]}")
    found = remote.fs.exists([remote.oid_to_path(digest) for digest in digests])
    return [digest for digest, is_there in zip(digests, found, strict=True) if is_there]


def _unreachable(error: BaseException, asked: str) -> ExperimentError:
    return ExperimentError(
        asked=asked,
        happened=f"the remote cannot be read: {' '.join(f'{type(error).__name__}: {error}'.split())[:400]}",
        affected=UNTOUCHED,
        fix="look at its address (dvc remote list), its server, your network and your credentials, then again",
    )


def _lacking(what: str, digests: Sequence[str], asked: str) -> ExperimentError:
    return ExperimentError(
        asked=asked,
        happened=f"{len(digests)} objects are {what} on the remote, and this checkout's cache has them not: {listed(digests)}",
        affected=UNTOUCHED,
        fix="temper verify-remote, in this study's folder of the checkout that has them, pushes them again; then pull again",
    )


def _keep(repo: Any, file: Path, digest: str) -> None:
    """Put a checked file into the cache under its digest, in place of a damaged one."""
    cache = repo.cache.local
    target = cache.oid_to_path(digest)
    cache.makedirs(os.path.dirname(target))
    try:
        os.replace(file, target)
    except OSError:  # a cache on another disk
        shutil.move(file, target)
    cache.protect(target)


def fetch(repo: Any, remote: Any, digests: Sequence[str], asked: str) -> tuple[int, int]:
    """Bring objects into this checkout's cache: all of them, or an error; what arrived whole stays there.

    Args:
        repo: of DVC.
        remote: as `open_remote` gives it.
        digests: MD5 of the objects.
        asked: for the error.

    Returns:
        Objects and bytes that were fetched.

    Raises:
        ExperimentError: the remote does not answer, or an object is not there or damaged.
    """
    if not digests:
        return 0, 0
    try:
        there = _within(ANSWER_S, lambda: _there(remote, digests))
    except Exception as error:  # each kind of remote has its own
        raise _unreachable(error, asked) from None
    if len(there) < len(digests):
        raise _lacking("missing", sorted(set(digests) - set(there)), asked)
    return _fetch_all(repo, remote, digests, asked)


def _arrivals(count: int) -> Any:
    """Says how many of so many objects have arrived: on a terminal in one line, elsewhere in one now and then."""
    from fsspec.callbacks import Callback

    class Arrivals(Callback):  # type: ignore[misc]
        said_s = time.monotonic()

        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            if sys.stderr.isatty():
                end = "\n" if self.value == count else ""
                print(f"\rfetched {self.value:,} of {count:,} objects", end=end, file=sys.stderr, flush=True)
            elif time.monotonic() - self.said_s > SAY_EVERY_S:
                self.said_s = time.monotonic()
                print(f"fetched {self.value:,} of {count:,} objects", file=sys.stderr, flush=True)

    return Arrivals()


def _lock(folder: Path, *, wait: bool = True) -> int | None:
    """A descriptor that holds a folder as long as this process lives; None where another has it, or it is gone."""
    import fcntl

    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if folder.is_dir():
                return descriptor
        os.close(descriptor)
    return None


@contextmanager
def _scratch(folder: str) -> Iterator[Path]:
    """A folder for what has not arrived whole yet; those that a kill left there are removed."""
    os.makedirs(folder, exist_ok=True)
    for left in Path(folder).glob(f"{_ARRIVING}*"):
        if (descriptor := _lock(left, wait=False)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(descriptor)
    held = None
    while held is None:  # again where another took it for a leftover before it was locked
        scratch = Path(tempfile.mkdtemp(dir=folder, prefix=_ARRIVING))
        held = _lock(scratch)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(held)


def _fetch_all(repo: Any, remote: Any, digests: Sequence[str], asked: str) -> tuple[int, int]:
    from dvc_objects.fs import generic
    from dvc_objects.fs.local import localfs

    failed: list[BaseException] = []
    with _scratch(repo.tmp_dir) as scratch:
        try:
            generic.copy(
                remote.fs,
                [remote.oid_to_path(digest) for digest in digests],
                localfs,
                [str(scratch / digest) for digest in digests],
                on_error=lambda _source, _target, error: failed.append(error),
                callback=_arrivals(len(digests)),
            )
            if failed:
                raise failed[0]
            damaged = [digest for digest in digests if md5(scratch / digest) != digest.removesuffix(FOLDER_DIGEST)]
            size = sum((scratch / digest).stat().st_size for digest in digests)
            for digest in digests:
                if digest not in damaged:
                    _keep(repo, scratch / digest, digest)
            if damaged:
                raise _lacking("damaged", damaged, asked)
            return len(digests), size
        except ExperimentError:
            raise
        except Exception as error:  # each kind of remote has its own
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            raise _unreachable(error, asked) from None
