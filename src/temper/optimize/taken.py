"""What a search has on the disk of the points that take part: turns, answers, failures; other lines count for nothing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from temper.optimize.points import Point
from temper.optimize.race import Turns
from temper.optimize.record import Line, append, lines
from temper.optimize.worker import log_ratios
from temper.statistics.paired_labels import against_budget

BASELINE = "baseline"  # the name of the point that the study's baseline is


@dataclass
class Taken:
    """The record of a search, read for today's points under today's conditions.

    Attributes:
        record: the file.
        conditions: digest of what a turn depends on beside the two points.
        points: those that take part, by name.
        identity: digest of each one's artifact, backend and library, by name.
    """

    record: Path
    conditions: str
    points: dict[str, Point] = field(default_factory=dict)
    identity: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, **line: Any) -> None:
        """Add a line of today's conditions."""
        append(self.record, {"kind": kind, "conditions": self.conditions, **line})

    def own(self, kind: str) -> list[Line]:
        """Lines of a kind under today's conditions, those of them that are whole."""
        wanted = (kind, self.conditions)
        return [
            line
            for line in lines(self.record)
            if (line.get("kind"), line.get("conditions")) == wanted and is_whole(line)
        ]

    @property
    def names(self) -> dict[str, str]:
        """Name of each point by its identity."""
        return {identity: name for name, identity in self.identity.items()}

    def opened_last(self) -> str | None:
        """The point that was loaded last; None before the first, and where it takes part no more."""
        opened = [line.get("point") for line in lines(self.record) if line.get("kind") == "opens"]
        return self.names.get(str(opened[-1])) if opened else None

    def turns(self) -> list[Turns]:
        """What was timed so far."""
        names, found = self.names, []
        for line in self.own("turns"):
            challenger, incumbent = names.get(line["challenger"]), names.get(line["incumbent"])
            if challenger is not None and incumbent is not None:
                values = log_ratios(line["challenger_ms"], line["incumbent_ms"])
                found.append(Turns(challenger, incumbent, tuple(values)))
        return found

    def values(self, challenger: str, incumbent: str) -> list[float]:
        """ln(challenger's time / incumbent's) of every block of the two, whichever was the incumbent then."""
        found: list[float] = []
        for each in self.turns():
            if (each.challenger, each.incumbent) == (challenger, incumbent):
                found += each.log_ratios
            elif (each.incumbent, each.challenger) == (challenger, incumbent):
                found += [-value for value in each.log_ratios]
        return found

    def medians_ms(self) -> dict[str, float]:
        """The middle of each point's blocks, ms; points without a turn are left out."""
        names, found = self.names, dict[str, list[float]]()
        for line in self.own("turns"):
            for side in ("challenger", "incumbent"):
                if (name := names.get(line[side])) is not None:
                    found.setdefault(name, []).extend(line[f"{side}_ms"])
        return {name: sorted(values)[(len(values) - 1) // 2] for name, values in found.items()}

    def speeds(self, led: Sequence[str], beside: Mapping[str, tuple[str, float]]) -> dict[str, float]:
        """How many times as fast as the baseline each point is: estimates, no intervals.

        Of an incumbent it is the one before it times what their own turns say, so that each is above the one it overtook; of any
        other that of the incumbent it was held against last, times the same.

        Args:
            led: the incumbents in their order, the first of them the baseline.
            beside: of the points that had a turn the incumbent of their last ones and ln(own time / that one's).
        """
        logs = {led[0]: 0.0}
        for before, after in pairwise(led):
            values = self.values(after, before)
            logs[after] = logs[before] + math.fsum(values) / len(values)
        waiting = {name: by for name, by in beside.items() if name not in logs}
        while reached := [name for name, (by, _) in waiting.items() if by in logs]:
            for name in reached:  # one that was an incumbent, and is out for its answers since, may be another's
                by, own = waiting.pop(name)
                logs[name] = logs[by] + own
        return {name: math.exp(-value) for name, value in logs.items()}

    def failed(self) -> dict[str, str]:
        """Why points cannot run here, by name."""
        names = self.names
        return {names[line["point"]]: line["reason"] for line in self.own("failed") if line["point"] in names}

    def reference(self) -> list[int] | None:
        """Labels of the validation rows by the float file; None where they were not looked at."""
        own = [line for line in self.own("reference") if line["point"] == self.identity[BASELINE]]
        return None if not own else list(own[-1]["labels"])

    def answers(self) -> dict[str, Line]:
        """How points answer on the validation rows, by name; points that differ in threads alone answer for each other."""
        names, found = self.names, dict[str, Line]()
        for line in self.own("answers"):
            if line["reference"] == self.identity[BASELINE] and line["point"] in names:
                found[self.points[names[line["point"]]].answers] = line
        return {name: found[point.answers] for name, point in self.points.items() if point.answers in found}

    def verdicts(self, budget_points: float) -> dict[str, str | None]:
        """Why a point's answers are wrong, by name; None where they are right; those that nobody asked are left out.

        Args:
            budget_points: accuracy that may be lost, percentage points.
        """
        found = {name: why_wrong(line, budget_points) for name, line in self.answers().items()}
        return {**found, BASELINE: None}


_TEXTS = {
    "turns": ("challenger", "incumbent"),
    "answers": ("point", "reference"),
    "reference": ("point",),
    "failed": ("point", "reason"),
}


def is_whole(line: Mapping[str, Any]) -> bool:
    """Whether a line has what its kind has to have: one that a hand or another version wrote may not."""
    kind = line.get("kind")
    if not all(isinstance(line.get(key), str) for key in _TEXTS.get(str(kind), ())):
        return False
    if kind == "turns":
        sides = line.get("challenger_ms"), line.get("incumbent_ms")
        return all(isinstance(side, list) and all(_is_time(each) for each in side) for side in sides) and (
            len(sides[0] or ()) == len(sides[1] or ()) > 0
        )
    if kind == "answers" and "reason" not in line:
        counts = [line.get(key) for key in ("rows", "gained", "lost", "differing")]
        return all(isinstance(each, int) and each >= 0 for each in counts) and counts[0] != 0
    return kind != "reference" or isinstance(line.get("labels"), list)


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


def why_wrong(line: Mapping[str, Any], budget_points: float) -> str | None:
    """Why answers are beyond a budget; None where they are within it, by their estimate, and no interval says otherwise.

    Args:
        line: of the record: counts of rows, or the reason why there are none.
        budget_points: accuracy that may be lost, percentage points.
    """
    if "reason" in line:
        return str(line["reason"])
    lost = 100 * (line["lost"] - line["gained"]) / line["rows"]
    verdict = against_budget(line["gained"], line["lost"], line["rows"], budget_points=budget_points).verdict
    if verdict != "beyond" and lost <= budget_points:
        return None
    return f"{lost:.2f} points lost on {line['rows']:,} validation rows, of a budget of {budget_points:g}"
