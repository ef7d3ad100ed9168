"""Bytes and values of a file from outside, within bounds; what is beyond them is refused in words.

What a file is for is its reader's business: it puts the words of `Unreadable` into its own error of four parts.
"""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST_BYTES = 256 * 2**20  # of a document that is read whole: the largest record of results/ has 2 MB
MOST_DEPTH = 64  # lists and tables within each other: the deepest document of ours has 12
MOST_DIGITS = 40  # of a whole number
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


class Unreadable(ValueError):
    """Why a file is not read, in words; and what helps, where its format says it."""

    def __init__(self, why: str, fix: str | None = None) -> None:
        self.fix = fix
        super().__init__(why)


def read_bytes(path: str | Path, most_bytes: int = MOST_BYTES) -> bytes:
    """The bytes of an ordinary file. A pipe or a device, which may never end, is not waited for.

    Args:
        path: of the file.
        most_bytes: that are read.

    Raises:
        Unreadable: it is no ordinary file, or larger.
        OSError: it is absent, or cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in its name
        raise Unreadable(f"its path cannot be one ({error})") from None
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise Unreadable("it is a pipe, a socket or a device, and no file")
        with open(handle, "rb", closefd=False) as stream:
            content = stream.read(most_bytes + 1)
    finally:
        os.close(handle)
    if len(content) > most_bytes:
        raise Unreadable(f"it has more than {most_bytes:,} bytes, the most that is read of such a file")
    return content


def read_text(path: str | Path, most_bytes: int = MOST_BYTES) -> str:
    """The text of an ordinary file in UTF-8.

    Raises:
        Unreadable: it is no ordinary file, larger, or not UTF-8.
        OSError: it is absent, or cannot be read.
    """
    return decoded(read_bytes(path, most_bytes))


def decoded(content: bytes) -> str:
    """Bytes as text.

    Raises:
        Unreadable: they are not UTF-8.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8 ({error.reason} at byte {error.start:,})") from None


def check_depth(value: Any) -> None:
    """Refuse lists and tables that lie deeper in each other than anything here; what handles them goes down by recursion.

    Raises:
        Unreadable: they do.
    """
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level:
        depth += 1
        if depth > MOST_DEPTH:
            raise Unreadable(f"it is nested more than {MOST_DEPTH} deep")
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]


def whole_number(text: str) -> int:
    """A decimal whole number.

    Raises:
        Unreadable: it has more digits than any number here.
    """
    if len(text) > MOST_DIGITS:
        raise Unreadable(f"it holds a number of {len(text):,} digits")
    return int(text)


def check_letters(text: str) -> None:
    """Refuse JSON text that names half of a surrogate pair, which no file and no terminal takes.

    Raises:
        Unreadable: it does.
    """
    if not _HALF_PAIR.search(text):
        return
    import json

    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Unreadable("it holds half of a surrogate pair (\\ud800 to \\udfff alone), which is no letter") from None


@contextlib.contextmanager
def no_panic() -> Iterator[None]:
    """Let a panic of a library in Rust leave the block as a RuntimeError: it is no Exception, and nothing would catch it."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ != "PanicException":
            raise
        raise RuntimeError(f"the library failed at it: {error}") from None


def why_not_ordinary(folder: Path) -> str | None:
    """Which entry of a folder is neither file nor folder, in words: whoever opens a pipe waits for ever. None where none is."""
    try:
        odd = sorted(path.name for path in folder.iterdir() if path.exists() and not (path.is_file() or path.is_dir()))
    except OSError as error:
        return f"{folder} cannot be listed: {error.strerror}"
    return f"{folder / odd[0]} is a pipe, a socket or a device, and no file" if odd else None
