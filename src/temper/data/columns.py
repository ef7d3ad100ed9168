"""Named columns of rows, as a file or a hub data set holds them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from temper.errors import DataError

NOTHING_WRITTEN = "everything that is made from this data; nothing was written"


@dataclass(frozen=True)
class Columns:
    """The named columns of one split as a file or a hub dataset holds them; None marks an absent value."""

    origin: str
    values: Mapping[str, Sequence[Any]]


def list_rows(rows: Sequence[int]) -> str:
    """'3 rows, the first being row 2, 7, 9' for 0-based positions; rows are counted from 1 in messages."""
    shown = ", ".join(str(row + 1) for row in rows[:5])
    return f"{len(rows):,} row{'s' if len(rows) > 1 else ''} (counted from 1, without a header: {shown}\
{', …' if len(rows) > 5 else ''})"


def words_in(text: str) -> list[tuple[int, int]]:
    """Where the words of a text begin and end: what blanks separate."""
    return [word.span() for word in re.finditer(r"\S+", text)]


def select_columns(table: Columns, names: Sequence[str]) -> list[Sequence[Any]]:
    """The named columns.

    Raises:
        DataError: one is absent (the message lists those that are there), or the split has no rows.
    """
    missing = [name for name in names if name not in table.values]
    if missing:
        raise DataError(
            asked=f"read columns {', '.join(map(repr, names))} of {table.origin}",
            happened=f"it has no column {', '.join(map(repr, missing))}; it has {', '.join(map(repr, table.values))}",
            affected=NOTHING_WRITTEN,
            fix="set data.text and data.label to columns it has (a file without a header needs its `columns` listed)",
        )
    chosen = [table.values[name] for name in names]
    if not len(chosen[0]):
        raise DataError(
            asked=f"read {table.origin}",
            happened="it holds a header but not one row",
            affected=NOTHING_WRITTEN,
            fix="put rows into it, or point params.yaml at the file that has them",
        )
    return chosen


def codes(values: Sequence[Any]) -> list[int]:
    """A number for each value, from 0 on, by when it came first."""
    known: dict[Any, int] = {}
    return [known.setdefault(value, len(known)) for value in values]
