"""A GPU for one measurement alone, where several candidates are measured side by side, one GPU each."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from temper.devices import nvidia_gpus
from temper.errors import PipelineError

VISIBLE = "CUDA_VISIBLE_DEVICES"
_PAUSE_S = 0.2


def _numbers() -> list[str]:
    """The driver's numbers of the GPUs that this process may use."""
    visible = [name.strip() for name in os.environ.get(VISIBLE, "").split(",") if name.strip()]
    return visible or [str(number) for number in range(len(nvidia_gpus()))]


def _taken(number: str, folder: Path) -> int | None:
    """The open lock file of a GPU that nobody holds; None where somebody does."""
    import fcntl  # not on Windows

    folder.mkdir(exist_ok=True)
    handle = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


@contextlib.contextmanager
def own_gpu(side_by_side: int, gpus: int, folder: Path | None = None) -> Iterator[str | None]:
    """Hold a GPU that no other measurement of this machine holds; wait for one. CUDA sees no other meanwhile.

    Args:
        side_by_side: `gpus_side_by_side` of the measurement; 1: no other measurement runs, and nothing is held.
        gpus: how many the candidate and the baseline use.
        folder: of the lock files; the machine's folder for temporary files where it is None. A lock ends with its process.

    Yields:
        The driver's number of the GPU; None where none is held.

    Raises:
        PipelineError: more than one GPU is used by a candidate, or this system has no such locks.
    """
    numbers = _numbers()[:side_by_side]
    if side_by_side == 1 or not gpus or not numbers:
        yield None
        return
    if gpus > 1 or os.name == "nt":
        raise PipelineError(
            asked=f"measure {side_by_side} candidates side by side, one GPU each",
            happened="Windows has no file locks of this kind" if gpus == 1 else f"a backend asks for {gpus} GPUs",
            spoiled="this record only; nothing was measured",
            fix="set measurement.gpus_side_by_side to 1",
        )
    place = folder or Path(tempfile.gettempdir()) / "temper-gpus"
    while True:
        for number in numbers:
            handle = _taken(number, place)
            if handle is not None:
                break
        else:
            time.sleep(_PAUSE_S)
            continue
        break
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = number
    try:
        yield number
    finally:
        if before is None:
            del os.environ[VISIBLE]
        else:
            os.environ[VISIBLE] = before
        os.close(handle)
