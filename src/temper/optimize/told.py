"""What a search found, in words and as a picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup

from temper.logs.progress import duration
from temper.report.formats import significant
from temper.report.markdown_table import markdown_table
from temper.report.page.svg import Scale, drawing, tag, together
from temper.statistics.confidence_sequence import Interval

Fate = Literal["ahead", "open", "slower", "not told apart", "overtaken", "answers", "bound", "failed", "not made"]
SAID: dict[Fate, str] = {
    "ahead": "the fastest that is right",
    "open": "open: time ran out",
    "slower": "slower",
    "not told apart": "not faster by more than the margin",
    "overtaken": "overtaken",
    "answers": "answers differ too much",
    "bound": "beyond the latency bound",
    "failed": "does not run here",
    "not made": "not made",
}


@dataclass(frozen=True)
class Trial:
    """What became of one point.

    Attributes:
        name: of the point.
        fate: what became of it.
        beside: the incumbent it was held against last.
        interval: ln(its time / that one's); None where it had no turns.
        reason: in words, where its fate has one.
        median_ms: of its blocks; None where it had none.
        speed: how many times as fast as the baseline, by way of the incumbents it was held against; an estimate.
    """

    name: str
    fate: Fate
    beside: str | None = None
    interval: Interval | None = None
    reason: str | None = None
    median_ms: float | None = None
    speed: float | None = None

    def as_json(self) -> dict[str, Any]:
        """For a file; bounds that are not finite are null."""
        found = self.interval
        ends = (None, None, None) if found is None else (found.mean, found.low, found.high)
        ratio, low, high = (None if end is None or not math.isfinite(end) else round(math.exp(end), 5) for end in ends)
        return {
            "fate": self.fate,
            "beside": self.beside,
            "time_ratio": ratio,
            "low": low,
            "high": high,
            "blocks": 0 if found is None else found.values,
            "reason": self.reason,
            "median_ms": self.median_ms,
            "speed": None if self.speed is None else round(self.speed, 4),
        }


def _ratio(trial: Trial) -> str:
    found = trial.interval
    if found is None or not found.values:
        return "–"
    if not math.isfinite(found.low):
        return significant(math.exp(found.mean))
    return (
        f"{significant(math.exp(found.mean))} [{significant(math.exp(found.low))}, {significant(math.exp(found.high))}]"
    )


def _last_cell(trial: Trial) -> str:
    said = SAID[trial.fate]
    return f"{said}: {trial.reason}" if trial.reason else said


def table(trials: Sequence[Trial]) -> str:
    """Every point in a Markdown table, the fastest first."""
    rows = [
        [
            f"**{trial.name}**" if trial.fate == "ahead" else trial.name,
            "–" if trial.speed is None else significant(trial.speed),
            trial.beside or "–",
            _ratio(trial),
            _last_cell(trial),
        ]
        for trial in in_order(trials)
    ]
    return markdown_table(["candidate", "× as fast", "beside", "its time / that one's", "what became of it"], rows, 5)


def in_order(trials: Sequence[Trial]) -> list[Trial]:
    """The fastest first, those without a turn last."""
    return sorted(trials, key=lambda trial: (trial.fate != "ahead", -(trial.speed or 0.0), trial.name))


def sentences(trials: Sequence[Trial], *, winner: str, baseline: str, margin: float) -> list[str]:
    """What was tried, what is still open, and what more time could bring."""
    by_fate: dict[str, list[Trial]] = {}
    for trial in trials:
        by_fate.setdefault(trial.fate, []).append(trial)
    counted = ", ".join(
        f"{len(found)} {SAID[fate]}" for fate in SAID if (found := by_fate.get(fate)) and fate != "ahead"
    )
    lines = [f"{len(trials)} candidates: {counted}."]
    near = [trial.name for trial in by_fate.get("not told apart", []) if trial.beside == winner]
    if near:
        lines.append(f"Not faster than {winner} by more than {100 * margin:g} %: {', '.join(near)}.")
    lines += _still_open(by_fate.get("open", []))
    if winner == baseline:
        lines.append("Nothing was found that is faster than the baseline and right.")
    return lines


def took(making_s: float, racing_s: float, confirming_s: float | None) -> str:
    """How long a search took in all, and its parts.

    Args:
        making_s: for the float file and the artifacts, seconds.
        racing_s: for the race, what it waited for others included.
        confirming_s: for the winner's measurement; None where there was none.
    """
    parts = [f"{duration(making_s)} making artifacts", f"{duration(racing_s)} racing"]
    parts += [] if confirming_s is None else [f"{duration(confirming_s)} measuring on the test rows"]
    return f"Took {duration(making_s + racing_s + (confirming_s or 0.0))} in all: {', '.join(parts)}."


def _still_open(trials: Sequence[Trial], most: int = 3) -> list[str]:
    """What more time could bring: the least that open candidates may take."""
    if not trials:
        return []
    known = [
        (trial.interval.low, trial.name) for trial in trials if trial.interval and math.isfinite(trial.interval.low)
    ]
    named = [f"{name} at most {100 * (1 - math.exp(low)):.1f} % less time" for low, name in sorted(known)[:most]]
    lines = [f"More time could bring: {', '.join(named)}."] if named else []
    if len(known) < len(trials):
        lines.append(f"Of {len(trials) - len(known)} candidates nothing is known: they had too few turns.")
    lines.append("The same command again goes on with what is open.")
    return lines


_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.ahead{fill:#1a7f37;stroke:#1a7f37}.open{fill:#9a6700;stroke:#9a6700}"
    ".out{fill:#57606a;stroke:#57606a}.wrong{fill:#cf222e;stroke:#cf222e}.grid{stroke:#d0d7de}"
    ".whisker{opacity:.3}.title{font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}.out{fill:#9aa4ae;stroke:#9aa4ae}}"
)
_KIND = {"ahead": "ahead", "open": "open", "answers": "wrong", "bound": "wrong"}
_LEGEND = {
    "ahead": "the fastest that is right",
    "open": "open",
    "out": "dropped or overtaken",
    "wrong": "answers or bound",
}
_ROW_PX = 18.0
_TOP_PX = 30.0  # of the title


def picture(trials: Sequence[Trial], *, workload: str, baseline: str, most: int = 40) -> str:
    """Speeds of the points that were timed, the fastest on top; the colour says what became of each.

    Args:
        trials: all of them.
        workload: what was timed.
        baseline: the name of what 1 × is.
        most: that are drawn.
    """
    had_turns = [trial for trial in in_order(trials) if trial.speed is not None]
    timed = had_turns[:most]
    speeds = [trial.speed or 1.0 for trial in timed]
    left, width, height = 330.0, 760.0, _TOP_PX + 54 + _ROW_PX * max(1, len(timed))
    x = Scale(min([0.9, *speeds]) / 1.05, max([1.1, *speeds]) * 1.1, left, width - 20, log=True)
    drawn_of = f", the fastest {len(timed)} of them" if len(timed) < len(had_turns) else ""
    title = f"{workload}: {len(had_turns)} of {len(trials)} candidates had turns{drawn_of}; times as fast as {baseline}"
    parts = [tag("text", title, x=8, y=18, class_="title")]
    parts += [
        together(
            [
                tag("line", x1=x(tick), x2=x(tick), y1=_TOP_PX + 8, y2=height - 42, class_="grid"),
                tag("text", f"{tick:g} ×", x=x(tick), y=height - 26, text_anchor="middle"),
            ]
        )
        for tick in x.ticks(8)
    ]
    for place, trial in enumerate(timed):
        at, end, kind = _TOP_PX + 18 + _ROW_PX * place, x(trial.speed or 1.0), _KIND.get(trial.fate, "out")
        said = f"{trial.name}: {significant(trial.speed or 1.0)} × as fast as {baseline}, {_last_cell(trial)}"
        parts.append(tag("text", trial.name, x=left - 8, y=at + 4, text_anchor="end"))
        parts.append(tag("line", x1=x(1), x2=end, y1=at, y2=at, class_=kind, stroke_width=2))
        if (found := trial.interval) is not None and math.isfinite(found.low):
            slow, fast = (x((trial.speed or 1.0) * math.exp(found.mean - end)) for end in (found.high, found.low))
            parts.append(tag("line", x1=slow, x2=fast, y1=at, y2=at, class_=f"{kind} whisker", stroke_width=6))
        parts.append(tag("circle", tag("title", said), class_=kind, cx=end, cy=at, r=5))
    there = {_KIND.get(trial.fate, "out") for trial in timed}
    for place, kind in enumerate(kind for kind in _LEGEND if kind in there):
        at = 20 + 178.0 * place
        parts.append(tag("circle", class_=kind, cx=at, cy=height - 8, r=5))
        parts.append(tag("text", _LEGEND[kind], x=at + 10, y=height - 4))
    label = f"How many times as fast as {baseline} the candidates of the search are at {workload}"
    drawn = drawing(width, height, tag("style", Markup(_STYLE)), *parts, label=label)
    return str(drawn).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def as_json(trials: Sequence[Trial]) -> Mapping[str, Any]:
    """By name, for a file."""
    return {trial.name: trial.as_json() for trial in trials}
