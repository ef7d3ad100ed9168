"""JSON from outside: a document of a file, or of a text."""

import json
import math
import re
from pathlib import Path
from typing import Any, NoReturn

from temper.reading.bounded import MOST_BYTES, Unreadable, check_depth, check_letters, read_text, whole_number

_MAY_BE_INFINITE = re.compile(r"[eE]\+?\d{3}|\d{300}")  # looked for first: a call for each number takes long


def _no_number(word: str) -> NoReturn:
    raise Unreadable(f"it holds {word}, which is no number of JSON")


def _finite(word: str) -> float:
    value = float(word)
    if not math.isfinite(value):
        raise Unreadable(f"it holds {word[:40]}, which is beyond every number that a computer has")
    return value


def parse_json(text: str) -> Any:
    """What a JSON text holds.

    Raises:
        Unreadable: it is no JSON, nested too deeply, or holds what is no number or no letter.
    """
    try:
        content = json.loads(
            text,
            parse_int=whole_number,
            parse_float=_finite if _MAY_BE_INFINITE.search(text) else None,
            parse_constant=_no_number,
        )
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"it is no JSON: {error.msg} at line {error.lineno:,}, column {error.colno:,}") from None
    check_depth(content)
    check_letters(text)
    return content


def read_json(path: str | Path, most_bytes: int = MOST_BYTES) -> Any:
    """What a JSON file holds.

    Args:
        path: of the file.
        most_bytes: that are read.

    Raises:
        Unreadable: as `parse_json`; or it is no ordinary file, not UTF-8, or larger.
        OSError: it is absent, or cannot be read.
    """
    return parse_json(read_text(path, most_bytes))


def read_object(path: str | Path, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """What a JSON file holds, which has to be one object.

    Raises:
        Unreadable: as `read_json`; or it holds something else.
        OSError: it is absent, or cannot be read.
    """
    content = read_json(path, most_bytes)
    if not isinstance(content, dict):
        raise Unreadable(f"it holds a {type(content).__name__} and no table of keys")
    return content
