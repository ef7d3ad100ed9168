"""What became of a corrupted file: the right answer, a message, or anything else, which is a fault."""

import contextlib
import io
import json
import os
import random
import resource
import signal
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from temper.errors import PipelineError, Unavailable
from temper.package.runtime.errors import PackageError

CPU_S, MEMORY_MIB, MESSAGE = 5, 400, 5000  # bounds of one case: seconds of the processor, growth of the peak, letters
PARTS = ("asked", "happened", "fix")


@dataclass(frozen=True)
class Reader:
    """A reader of ours, and what it reads.

    name: of the format.
    form: 'json', 'yaml' or 'bytes': how it is corrupted.
    content: a whole file.
    read: reads it from a file of that content.
    right: whether an answer may stand; of a sealed file only the original's may.
    file: its name.
    beside: other files of the folder.
    heavy: only in the long run: its libraries take seconds to import.
    """

    name: str
    form: str
    content: bytes
    read: Callable[[Path], Any]
    right: Callable[[Any], bool] = lambda answer: True
    file: str = "file"
    beside: dict[str, bytes] = field(default_factory=dict)
    change: Callable[[bytes, random.Random], bytes] | None = None
    heavy: bool = False


@dataclass(frozen=True)
class Outcome:
    """right, refused, or wrong with the reason."""

    kind: Literal["right", "refused", "wrong"]
    said: str = ""


class TooLong(BaseException):
    """A case took more of the processor than it may; no `except Exception` of a reader swallows it."""


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _judged(error: PipelineError | PackageError) -> Outcome:
    parts = [str(getattr(error, part)).strip() for part in PARTS]
    if not all(parts):
        return Outcome("wrong", f"a part of the message is empty: {error}")
    if len(str(error)) > MESSAGE:
        return Outcome("wrong", f"the message has {len(str(error)):,} letters: {str(error)[:300]}")
    obeyed = {
        letter
        for letter in str(error)
        if letter != "\n" and unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }
    if isinstance(error, PipelineError) and obeyed:
        return Outcome("wrong", f"a terminal would obey {sorted(map(ord, obeyed))}")
    return Outcome("refused", str(error))


def judge(reader: Reader, content: bytes, folder: Path) -> Outcome:
    """Let a reader read a file.

    Args:
        reader: whose.
        content: of the file.
        folder: an empty one.
    """
    for name, own in reader.beside.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(own)
    (folder / reader.file).parent.mkdir(parents=True, exist_ok=True)
    (folder / reader.file).write_bytes(content)
    here, peak = Path.cwd(), _peak_mib()
    try:
        with _bounded(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            answer = reader.read(folder / reader.file)
    except (PipelineError, PackageError) as error:
        return _judged(error)
    except Unavailable as error:
        return Outcome("refused", error.reason)
    except TooLong:
        return Outcome("wrong", f"it took more than {CPU_S} s of the processor")
    except BaseException as error:  # pyo3's panics are no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        return Outcome("wrong", f"{type(error).__name__}: {str(error)[:300]}")
    finally:
        os.chdir(here)
    grown = _peak_mib() - peak
    if grown > MEMORY_MIB:
        return Outcome("wrong", f"its peak of memory grew by {grown:,.0f} MiB")
    return Outcome("right") if reader.right(answer) else Outcome("wrong", f"it answered {str(answer)[:300]}")


def case(reader: Reader, number: int) -> bytes:
    """The corrupted file of a case; equal for equal numbers."""
    from tests.fuzz.corrupt import corrupted

    rng = random.Random(zlib.crc32(f"{reader.name} {number}".encode()))
    if reader.change is not None and rng.random() < 0.5:
        return reader.change(reader.content, rng)
    return corrupted(reader.content, reader.form, rng)


def told(reader: Reader, number: int, content: bytes, outcome: Outcome) -> str:
    """What a failure says, with the file itself where it is short."""
    shown = content[:300] if len(content) <= 300 else b"(%d bytes)" % len(content)
    return json.dumps(
        {"reader": reader.name, "case": number, "said": outcome.said, "content": repr(shown)}, ensure_ascii=False
    )
