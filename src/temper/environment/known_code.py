"""What was read of modules' source texts last time, by the digest of the text: a text that is known is not parsed again.

Reading the code behind a study's jobs took half of the time of a plan: 180 modules, of which a plan finds 180 unchanged.
"""

import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import sha256, write_text

FILE = ".snakemake/temper/code.json"  # this folder's own memory, never shared
MOST = 2000  # texts that are kept; edits leave some behind


class KnownCode:
    """What one reader found in texts, in the working folder; another version of the reader begins anew.

    Args:
        reader: file of the module that reads the texts.
    """

    def __init__(self, reader: Path) -> None:
        self._reader = sha256(reader)
        self._found: dict[str, Any] = {}
        self._is_new = False
        with suppress(OSError, ValueError, TypeError, KeyError):
            content = json.loads(Path(FILE).read_text(encoding="utf-8"))
            if content["reader"] == self._reader:
                self._found = dict(content["texts"])

    def get(self, digest: str) -> Any:
        """What was found in the text with this SHA-256; None where it was never read here."""
        return self._found.get(digest)

    def add(self, digest: str, found: Any) -> None:
        """Keep what was found in a text, as JSON has it."""
        self._found[digest] = found
        self._is_new = True

    def save(self) -> None:
        """Write it, where something is new and the working folder is one in which Snakemake works."""
        if not self._is_new or not Path(FILE).parents[1].is_dir():
            return
        self._is_new = False
        kept = dict(list(self._found.items())[-MOST:])
        with suppress(OSError):  # on a disk that takes nothing more every module is parsed each time
            write_text(FILE, json.dumps({"reader": self._reader, "texts": kept}))


@cache
def _of_folder(folder: Path, reader: Path) -> KnownCode:
    return KnownCode(reader)


def known_code(reader: Path) -> KnownCode:
    """What is known in the working folder, read once in a process."""
    return _of_folder(Path.cwd(), reader)
