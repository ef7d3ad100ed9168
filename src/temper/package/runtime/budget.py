"""How large a call of the model may be."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """How large a call may be.

    Attributes:
        tokens: that are computed, padding included; of a packed model in all its rows.
        rows: at most.
        packed: whether rows are packed, so that padding to the longest costs nothing.
    """

    tokens: int
    rows: int
    packed: bool

    def holds(self, rows: int, longest: int, total: int) -> bool:
        """Whether a call of these rows is within it."""
        return rows <= self.rows and (total if self.packed else rows * longest) <= self.tokens


def budget_of(sizes: Sequence[tuple[int, int]], longest: int) -> tuple[int, int]:
    """Tokens and rows of a call that measurements speak for: larger calls were not timed.

    Args:
        sizes: rows and tokens of each call that was timed.
        longest: tokens of the longest row, which always fits.
    """
    return max(longest, *(rows * tokens for rows, tokens in sizes)), max(rows for rows, _ in sizes)
