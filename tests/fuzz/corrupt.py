"""Seeded corruptions of a file: of its bytes, and of what it holds where that is JSON or YAML."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml

# what no reader expects, of every kind that a document can hold
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 2, 10**12, 10**39, -(10**30), 0.5, -0.0, 1e308, 1e-320,
    "", " ", "\x00", "\x1b[2J\x1b]0;x\x07", "\u202e", "=1+1", "a\nb", "x" * 300, "é" * 200, "../../../etc/passwd", "/dev/zero",
    "NaN", "null", "1e999", "9" * 60, "{x}", "__import__('os')", [], {}, [[]], [None],
    ".", {"": None}, {"a": {"a": {"a": []}}}, [0] * 1000,
)  # fmt: skip
# the same as text, where a document's own writer would never write it
RAW = (
    "NaN",
    "-Infinity",
    "1e999",
    "9" * 5000,
    "[" * 3000,
    '"\\ud800"',
    "{" * 50,
    "",
    ",",
    '"',
    "\x00",
    "'",
    "&a [*a]",
    "!!python/name:os.system",
)
TOKENS = (b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n", b"\t", b'"', b"'", b"{", b"}", b"[", b"]", b",", b":",
          b"\\", b"%", b"\xc3", b"\xf0\x9f", b"0",
          b"-", b"9" * 400, b"\x7f\xff\xff\xff", b"\xff" * 8, b"\x00" * 64)  # fmt: skip
_MARK = "@@here@@"


def in_bytes(content: bytes, rng: random.Random) -> bytes:
    """One to four edits of the bytes: as a broken disk, a cut copy or a hostile hand makes them."""
    edits: tuple[Callable[[bytearray, int, int], bytes], ...] = (
        lambda own, at, to: bytes(own[:at]),
        lambda own, at, to: bytes(own[:at] + own[to:]),
        lambda own, at, to: bytes(own[:to] + own[at:to] + own[to:]),
        lambda own, at, to: bytes(own[:at] + rng.choice(TOKENS) + own[at:]),
        lambda own, at, to: bytes(own[:at] + rng.choice(TOKENS) + own[to:]),
        lambda own, at, to: bytes(own[:at] + rng.randbytes(to - at) + own[to:]),
        lambda own, at, to: (
            bytes(own[:at] + bytes([own[at] ^ (1 << rng.randrange(8))]) + own[at + 1 :]) if own else b""
        ),
        lambda own, at, to: bytes(own[at:to] + own[:at] + own[to:]),
    )
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        own = bytearray(content)
        at = rng.randrange(max(len(own), 1)) if rng.random() < 0.7 else rng.randrange(min(max(len(own), 1), 64))
        at = min(at, max(len(own) - 1, 0))
        content = rng.choice(edits)(own, at, min(len(own), at + rng.choice((1, 2, 4, 8, 64, 1000))))
    return content


def _places(value: Any, limit: int = 4000) -> list[tuple[Any, Any]]:
    """(container, key) of what a document holds, containers first met first."""
    found: list[tuple[Any, Any]] = []
    queue = [value]
    while queue and len(found) < limit:
        each = queue.pop(0)
        keys: Iterator[Any] = (
            iter(each) if isinstance(each, dict) else iter(range(len(each))) if isinstance(each, list) else iter(())
        )
        for key in list(keys)[:50]:
            found.append((each, key))
            queue.append(each[key])
    return found


def in_what_it_holds(document: Any, rng: random.Random) -> tuple[Any, str | None]:
    """One to three values replaced, removed, renamed or exchanged; and what stands as text for a mark in it."""
    document = json.loads(json.dumps(document, default=str))
    raw = None
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = _places(document)
        if not places:
            return rng.choice(HOSTILE), None
        inside, key = rng.choice(places)
        edit = rng.randrange(6)
        if edit == 0:
            del inside[key]
        elif edit == 1 and isinstance(inside, dict):
            inside[rng.choice(("", "x", "é", "a.b", "\x1b[0m", "unknown_key", "y" * 200))] = inside.pop(key)
        elif edit == 2:
            other, at = rng.choice(places)
            value = other[at] if (at in other if isinstance(other, dict) else at < len(other)) else None
            inside[key] = json.loads(json.dumps(value))
        elif edit == 3 and raw is None:
            inside[key], raw = _MARK, rng.choice(RAW)
        elif edit == 4:
            inside[key] = [inside[key]] * rng.choice((0, 1, 3))
        else:
            inside[key] = rng.choice(HOSTILE)
    return document, raw


def corrupted(content: bytes, form: str, rng: random.Random) -> bytes:
    """A corrupted file.

    Args:
        content: the whole file.
        form: 'json', 'yaml', or 'bytes' for any other.
        rng: what is done is drawn from it alone.
    """
    if form == "bytes" or rng.random() < 0.3:
        return in_bytes(content, rng)
    document = json.loads(content) if form == "json" else yaml.safe_load(content)
    document, raw = in_what_it_holds(document, rng)
    text = json.dumps(document) if form == "json" else yaml.safe_dump(document, allow_unicode=True, width=10**6)
    if raw is not None:
        text = text.replace(f'"{_MARK}"' if form == "json" else _MARK, raw, 1)
    return text.encode("utf-8", "surrogatepass")
