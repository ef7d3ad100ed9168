"""The record of a search: JSON lines that are only ever added, so that a search that was killed goes on where it stood.

A line belongs to what it was taken of: `point` is the digest of an artifact's bytes, its backend with all options and its
library's version; `conditions` that of the workload, the settings, the rows, the machine and the code. What is not of today's
counts for nothing, and stays. A line that was torn by a kill is cut off before the next is written.

opens     a point is about to be loaded: who crashes there is named by it
turns     medians of blocks of a challenger beside an incumbent, ms
answers   how a point answers on the validation rows, beside the float file
failed    a point cannot be built, loaded or run here, and why
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import canonical_json
from temper.reading.json_file import parse_json

FILE = "record.jsonl"
Line = dict[str, Any]


def digest(value: Any) -> str:
    """Sixteen letters that are equal for equal values."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]


def append(path: str | Path, line: Mapping[str, Any]) -> None:
    """Add a line, on the disk when this returns."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    _cut_off_torn(file)
    with open(file, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(line, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def _cut_off_torn(file: Path) -> None:
    """Remove what stands behind the last line's end."""
    if not file.is_file() or not file.stat().st_size:
        return
    with open(file, "r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        if stream.read(1) == b"\n":
            return
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)


def lines(path: str | Path) -> Iterator[Line]:
    """Every whole line in its order; what is no table of keys is passed over, as a torn one is."""
    file = Path(path)
    if not file.is_file():
        return
    for text in file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        if not text.endswith("\n"):
            continue
        try:
            line = parse_json(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line
