"""The table of what `temper optimize` found, from the records of searches that are filed together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import read_document
from temper.report.formats import milliseconds, significant, speed_up
from temper.report.markdown_table import markdown_table

HEADER = (
    "workload",
    "winner",
    "minutes",
    "open",
    "raced, ×",
    "test rows, ×",
    "ms (baseline)",
    "samples/s",
    "points (flips)",
)
_WORDS = 2  # columns of them, from the left
ABSENT = "–"
_FASTEST = "fastest"  # the winner's name in its study


def _time(own: Mapping[str, Any]) -> str:
    """The median, or the mean of real lengths."""
    return milliseconds(own["latency_mean_ms"] if own["real_lengths"] else own["latency_p50_ms"])


def _confirmed(file: Path, workload: str) -> tuple[str, ...]:
    """What the test rows and fresh calls say of the winner: cells from 'test rows' on; all absent where nothing was measured."""
    if not file.is_file():
        return (ABSENT,) * 4
    summary = read_document(file)
    rows = summary["candidates"]
    row, baseline = rows[_FASTEST], rows[summary["baseline"]]
    own, other = (each["workloads"][workload] for each in (row, baseline))
    if own["latency_ratio"] is None:
        return (ABSENT,) * 4
    points = [row[f"accuracy_{end}_points"] for end in ("difference", "low", "high")]
    lost, low, high = (f"{value:+.2f}".replace("-", "−") for value in points)
    return (
        speed_up(own["latency_ratio"], own["latency_ratio_low"], own["latency_ratio_high"]),
        f"{_time(own)} ({_time(other)})",
        f"{own['sequential_samples_per_s']:,.0f}",
        f"{lost} [{low}, {high}] ({row['labels_differing']})",
    )


def searched_table(folder: Path, names: Sequence[str]) -> str:
    """A line for each search: its winner, how many candidates are open, and what that one was worth.

    Columns of which no search has anything are left out.

    Args:
        folder: with <name>.json, a search's search.json, and <name>.summary.json, of its winner's report.
        names: of the searches.

    Raises:
        ArtifactError: there is no such search, or a file of it is not what its name says.
    """
    lines = []
    for name in names:
        search = read_document(folder / f"{name}.json")
        trials: Mapping[str, Mapping[str, Any]] = search["trials"]
        fates = [trial["fate"] for trial in trials.values()]
        winner = next((trial for trial, found in trials.items() if found["fate"] == "ahead"), ABSENT)
        raced = trials.get(winner, {}).get("speed")
        lines.append(
            (
                str(search["workload"]),
                winner,
                f"{search['minutes']:g}" if "minutes" in search else ABSENT,
                f"{fates.count('open')} of {len(fates)}",
                ABSENT if raced is None else significant(raced),
                *_confirmed(folder / f"{name}.summary.json", search["workload"]),
            )
        )
    kept = [column for column in range(len(HEADER)) if any(line[column] != ABSENT for line in lines)]
    return markdown_table(
        [HEADER[column] for column in kept], [[line[column] for column in kept] for line in lines], _WORDS
    )
