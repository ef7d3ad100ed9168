"""A search's record as tables: the layers that cost most, and every trial."""

from pathlib import Path
from typing import Any

from temper.quantization.record import read_search
from temper.report.markdown_table import markdown_table

SHOWN = 10  # layers


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def layers_table(folder: Path) -> str:
    """The layers with the largest gain: their share of all multiplications, loss and gain, and what the search chose.

    Args:
        folder: holds search.json.
    """
    search = read_search(folder)
    total = sum(each["multiplications"] for each in search["layers"])
    most = sorted(search["layers"], key=lambda each: (-each["gain"], each["layer"]["name"]))[:SHOWN]
    lines = [
        [
            f"`{each['layer']['name']}`",
            "in float" if each["layer"]["name"] in search["keep_in_float"] else "quantised",
            f"{100 * each['multiplications'] / total:.2f}",
            _signed(each["loss"]),
            _signed(each["gain"]),
        ]
        for each in most
    ]
    return markdown_table(
        ("layer", "chosen", "multiplications, %", "quantised alone: loss", "left out: gain"), lines, 2
    )


def trials_table(folder: Path) -> str:
    """Every trial in its order: what was tried, and whether it is within the budget."""
    search = read_search(folder)
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
    header = (
        "no.",
        "tried",
        "budget",
        "layers in float",
        "multiplications in float, %",
        "flips",
        "mean logit difference",
    )
    return markdown_table(header, lines, 3)
