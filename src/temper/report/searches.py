"""A search's record as tables: the layers that cost most, and every trial."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper.quantization.record import read_search
from temper.report.markdown_table import markdown_table

SHOWN = 10  # layers
LAYERS_HEADER = ("layer", "chosen", "multiplications, %", "quantised alone: loss", "left out: gain")
TRIALS_HEADER = (
    "no.",
    "tried",
    "budget",
    "layers in float",
    "multiplications in float, %",
    "flips",
    "mean logit difference",
)


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def layers_lines(search: Mapping[str, Any], most: int | None = None) -> list[list[str]]:
    """Of each layer the share of all multiplications, loss and gain, and what the search chose; the largest gain first.

    Args:
        search: search.json's content.
        most: only so many.
    """
    total = sum(each["multiplications"] for each in search["layers"])
    ordered = sorted(search["layers"], key=lambda each: (-each["gain"], each["layer"]["name"]))[:most]
    return [
        [
            each["layer"]["name"],
            "in float" if each["layer"]["name"] in search["keep_in_float"] else "quantised",
            f"{100 * each['multiplications'] / total:.2f}",
            _signed(each["loss"]),
            _signed(each["gain"]),
        ]
        for each in ordered
    ]


def trials_lines(search: Mapping[str, Any]) -> list[list[str]]:
    """Every trial in its order: what was tried, and whether it is within the budget."""
    lines: list[list[str]] = []
    for number, trial in enumerate(search["trials"], 1):
        distance: dict[str, Any] = trial["distance"]
        lines.append(
            [
                str(number),
                trial["why"],
                ("within, chosen" if trial == search["chosen"] else "within") if trial["within"] else "beyond",
                str(len(trial["kept"])),
                f"{100 * trial['float_share']:.1f}",
                f"{distance['flips']} of {distance['rows']}",
                f"{distance['mean_logit_difference']:.4f}",
            ]
        )
    return lines


def layers_table(folder: Path) -> str:
    """The Markdown table of the layers with the largest gain.

    Args:
        folder: holds search.json.
    """
    lines = [[f"`{name}`", *others] for name, *others in layers_lines(read_search(folder), SHOWN)]
    return markdown_table(LAYERS_HEADER, lines, 2)


def trials_table(folder: Path) -> str:
    """The Markdown table of every trial."""
    return markdown_table(TRIALS_HEADER, trials_lines(read_search(folder)), 3)
