"""A filed study's JSON documents in few files: what people read as text, long lists apart and compressed.

Documents are the records of candidates, the manifests of artifacts and the records of jobs. Each kind is one file, an
object of documents by name, where a list or an object of more than LONG members stands as {"apart": digest, "length": n}.
lists.jsonl.xz has them, a line each: {"sha256": digest, "of": where it stood first, "values": …}; equal ones once. Numbers
keep every digit: a document that was put together again has the bytes that its maker wrote.
"""

import hashlib
import lzma
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from temper.errors import ArtifactError
from temper.reading.bounded import Unreadable, decoded, read_bytes
from temper.reading.json_file import parse_json, read_json
from temper.report.json_text import compact_json, exact_json, readable_json

LISTS = "lists.jsonl.xz"
RECORDS, MANIFESTS, JOBS, REMEASUREMENTS = "records.json", "manifests.json", "jobs.json", "remeasurements.json"
LONG = 32  # members; what has more is no reading
MOST_LISTS = 2**28  # bytes of all lists of a study, unpacked: the largest of results/ has 6 MB
_MOST_MEMORY = 2**28  # that unpacking takes
_DIGITS = 16  # of a list's SHA-256: enough to tell a study's lists apart
_REFERENCE = {"apart", "length"}
_VALUES = ',"values":'


def _decompressed(content: bytes) -> str:
    """The text of the lists, which a small file may say to be without end.

    Raises:
        ValueError: it is larger than any of ours, cut off, or no text.
    """
    reader = lzma.LZMADecompressor(memlimit=_MOST_MEMORY)
    found = reader.decompress(content, max_length=MOST_LISTS)
    if not reader.eof:
        raise Unreadable(f"it is cut off, or holds more than {MOST_LISTS:,} bytes, the most that is read")
    return decoded(found)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _take_apart(value: Any, place: str, lists: dict[str, str], *, whole: bool = False) -> Any:
    """The value with its long lists taken out; they are added to `lists` as lines by digest."""
    if not isinstance(value, dict | list):
        return value
    if len(value) > LONG and not whole:
        text = compact_json(value)
        digest = _digest(text)
        lists.setdefault(digest, f'{{"sha256":"{digest}","of":{compact_json(place)}{_VALUES}{text}}}\n')
        return {"apart": digest, "length": len(value)}
    if isinstance(value, list):
        return [_take_apart(each, f"{place}/{number}", lists) for number, each in enumerate(value)]
    if value.keys() == _REFERENCE:
        raise ValueError(f"{place} looks like a list that stands apart")
    return {key: _take_apart(each, f"{place}/{key}", lists) for key, each in sorted(value.items())}


def pack(files: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """Files of documents as bytes, and the one of their long lists; equal documents give equal bytes.

    Args:
        files: a file's name to its documents by name.
    """
    lists: dict[str, str] = {}
    packed = {}
    for file, documents in files.items():
        content = {
            name: _take_apart(document, f"{file}/{name}", lists, whole=True)
            for name, document in sorted(documents.items())
        }
        packed[file] = readable_json(content).encode()
    if lists:
        packed[LISTS] = lzma.compress("".join(lists.values()).encode())
    return packed


class Packed:
    """The documents of a filed folder. Nothing is read before it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, dict[str, Any]] = {}

    def _refused(self, file: Path, happened: str) -> ArtifactError:
        return ArtifactError(
            asked=f"read what was filed in {file}",
            happened=happened,
            affected="what is shown of this study; nothing was changed",
            fix=f"git checkout -- {self._folder} puts back what was filed; or file the study anew (temper results)",
        )

    @cached_property
    def _lists(self) -> dict[str, str]:
        """Lines of the lists that stand apart, by digest."""
        file = self._folder / LISTS
        try:
            text = _decompressed(read_bytes(file))
        except (OSError, lzma.LZMAError, ValueError) as error:
            raise self._refused(file, f"{type(error).__name__}: {error}") from None
        start = len('{"sha256":"')
        return {line[start : start + _DIGITS]: line for line in text.splitlines()}

    def _put_together(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._put_together(each) for each in value]
        if not isinstance(value, dict):
            return value
        if value.keys() != _REFERENCE:
            return {key: self._put_together(each) for key, each in value.items()}
        line = self._lists.get(str(value["apart"]), "")
        text = line[line.find(_VALUES) + len(_VALUES) : -1]
        if _digest(text) != value["apart"]:
            raise self._refused(self._folder / LISTS, f"it has no list {value['apart']} as it was filed")
        return parse_json(text)

    def documents(self, file: str) -> dict[str, Any]:
        """The documents of a file by name, as they stand there: long lists are references. Empty where there is no file.

        Raises:
            ArtifactError: it is no such file.
        """
        if file not in self._files:
            path = self._folder / file
            try:
                content = read_json(path) if path.is_file() else {}
            except (OSError, ValueError) as error:
                raise self._refused(path, f"{type(error).__name__}: {error}") from None
            if not isinstance(content, dict) or not all(isinstance(each, dict) for each in content.values()):
                raise self._refused(path, "it holds no documents by name")
            self._files[file] = content
        return self._files[file]

    def document(self, file: str, name: str) -> dict[str, Any]:
        """A document with its lists in their places.

        Raises:
            ArtifactError: it is not there, or a list of it was lost or altered.
        """
        found = self.documents(file).get(name)
        if found is None:
            raise self._refused(self._folder / file, f"it has no {name!r}")
        whole: dict[str, Any] = {key: self._put_together(each) for key, each in found.items()}
        return whole


def sha256_of(document: Mapping[str, Any]) -> str:
    """SHA-256 of the bytes that a document had when it was written: every maker writes `canonical_json`."""
    return hashlib.sha256(exact_json(document).encode()).hexdigest()
