"""A Markdown table whose first columns are words and whose others are numbers."""

from collections.abc import Sequence


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]], words: int) -> str:
    """Header and lines as Markdown, ending in a newline.

    Args:
        header: names of the columns.
        lines: cells, as many as there are columns.
        words: how many columns from the left hold words; the others stand to the right.
    """
    page = ["| " + " | ".join(header) + " |", "|" + " --- |" * words + " ---: |" * (len(header) - words)]
    return "\n".join([*page, *("| " + " | ".join(cells) + " |" for cells in lines)]) + "\n"
