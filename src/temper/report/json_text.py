"""JSON as text: short enough to be read and compared by people, and exactly as `canonical_json` writes it, only faster."""

import json
import re
from typing import Any

WIDTH = 120
_MATRIX = re.compile(r"\[\[[^][\"{}]+\](?:,\[[^][\"{}]+\])*\]")  # rows of numbers, as one compact line


def compact_json(value: Any) -> str:
    """One line without spaces, keys as they come: the bytes over which a list that stands apart is digested."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def readable_json(value: Any) -> str:
    """Sorted keys, two-space indent; what fits into a line of 120 characters stands on one."""
    return _readable(value, "", 0) + "\n"


def _readable(value: Any, indent: str, before: int) -> str:
    """Text of one value; `before` is the width of the key that it stands behind."""
    line = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, dict | list) or not value or len(indent) + before + len(line) < WIDTH:
        return line
    deeper = indent + "  "
    if isinstance(value, list):
        return _broken("[]", [_readable(each, deeper, 0) for each in value], indent)
    keys = {key: json.dumps(key, ensure_ascii=False) + ": " for key in sorted(value)}
    return _broken("{}", [said + _readable(value[key], deeper, len(said)) for key, said in keys.items()], indent)


def exact_json(value: Any) -> str:
    """What `canonical_json` gives, character for character.

    The standard library indents in Python, a number at a time; a list of plain values has one separator, which its C code
    can be given, and so has a matrix of logits.
    """
    return _exact(value, "") + "\n"


def _exact(value: Any, indent: str) -> str:
    if not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    deeper = indent + "  "
    if isinstance(value, dict):
        members = [f"{json.dumps(key, ensure_ascii=False)}: {_exact(value[key], deeper)}" for key in sorted(value)]
        return _broken("{}", members, indent)
    if any(isinstance(each, dict | list) for each in value):
        line = compact_json(value)
        if _MATRIX.fullmatch(line):
            rows = (
                line[2:-2]
                .replace(",", f",\n{deeper}  ")
                .replace(f"],\n{deeper}  [", f"\n{deeper}],\n{deeper}[\n{deeper}  ")
            )
            return f"[\n{deeper}[\n{deeper}  {rows}\n{deeper}]\n{indent}]"
        return _broken("[]", [_exact(each, deeper) for each in value], indent)
    plain = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(f",\n{deeper}", ": "))
    return _broken("[]", [plain[1:-1]], indent)


def _broken(brackets: str, members: list[str], indent: str) -> str:
    separator = f",\n{indent}  "
    return f"{brackets[0]}\n{indent}  {separator.join(members)}\n{indent}{brackets[1]}"
