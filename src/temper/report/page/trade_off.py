"""The trade-off as a drawing: each candidate's speed against its accuracy, the budget, and what nothing else beats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from temper.report.page.charts import turned
from temper.report.page.formats import figure, minus, signed
from temper.report.page.precisions import colour_class
from temper.report.page.svg import Scale, drawing, tag

NARROW = 560  # a drawing narrower than this has a phone's labels
_LABEL_PX = 6.4  # of a letter, at the size of labels
_TICK_PX = 40  # between the names of two ticks
_SIDES = (
    (11, -8, ""),
    (-11, -8, "end"),
    (11, 17, ""),
    (-11, 17, "end"),
    (0, -13, "middle"),
    (0, 22, "middle"),
)  # of a label
_FARTHER = tuple((dx, dy, side) for dy in (-28, 38, -44, 54, -60) for dx, side in ((0, "middle"), (6, "end"), (-6, "")))


@dataclass(frozen=True)
class Mark:
    """A candidate in the trade-off: how many times as fast as the baseline, and points of accuracy gained or lost."""

    name: str
    href: str
    speed: tuple[float, float, float]  # with its 95 % interval
    points: tuple[float, float, float]
    precision: str | None
    chosen: bool
    front: bool
    holds: bool
    said: str  # what is shown of it, lines apart


def trade_off(
    marks: Sequence[Mark], *, baseline: str, budget: float, told: float, width: float, height: float, label: str
) -> Markup:
    """Speed against accuracy, the better to the right and above; both with 95 % intervals.

    Args:
        marks: the candidates that have both figures; the baseline is drawn at 1 × and 0 points.
        baseline: its name.
        budget: points of accuracy that may be lost.
        told: the noise floor: a ratio from 1 that this machine could have told.
        width: pixels.
        height: pixels.
        label: what the drawing shows, for who cannot see it.
    """
    left, right, top, bottom = 52.0, width - 16, 14.0, height - 46
    x, y = _speed_scale(marks, told, left, right), _points_scale(marks, budget, bottom, top)
    band = x(1 + told) - x(1 / (1 + told))
    parts = [
        tag("rect", x=left, y=y(-budget), width=right - left, height=bottom - y(-budget), class_="beyond"),
        tag("rect", x=x(1 / (1 + told)), y=top, width=max(1.0, band), height=bottom - top, class_="noise"),
        *_grid(x, y, left, right, top, bottom),
        tag("line", x1=left, x2=right, y1=y(-budget), y2=y(-budget), class_="budget"),
        tag("text", f"budget: −{budget:g} points", x=right - 4, y=y(-budget) + 13, class_="small end warn"),
        tag("line", x1=x(1), x2=x(1), y1=top, y2=bottom, class_="one"),
        tag("line", x1=left, x2=right, y1=y(0), y2=y(0), class_="one"),
        turned("accuracy less the baseline's, points", 8.0, (top + bottom) / 2),
        tag("text", f"times as fast as {baseline} →", x=(left + right) / 2, y=height - 6, class_="small middle"),
        tag("circle", cx=x(1), cy=y(0), r=4.5, class_="base"),
    ]
    inside = _labels(marks, baseline, x, y, (left, right, top, bottom), every=width >= NARROW)
    parts += [_drawn_mark(mark, x, y) for mark in sorted(marks, key=lambda mark: (mark.chosen, mark.front))]
    placed = [
        tag("text", name, x=at[0], y=at[1], class_=f"label {at[2]}{' strong' if strong else ''}")
        for name, at, strong in inside
    ]
    return drawing(width, height, *parts, *placed, label=label, class_="chart trade-off", role="group")


def _speed_scale(marks: Sequence[Mark], told: float, left: float, right: float) -> Scale:
    low = min([1 / (1 + told), *(mark.speed[1] for mark in marks)])
    high = max([1 + told, *(mark.speed[2] for mark in marks)])
    room = max(1.06, (high / low) ** 0.05)
    return Scale(max(low / room, 1e-3), high * room, left, right, log=True)


def _points_scale(marks: Sequence[Mark], budget: float, bottom: float, top: float) -> Scale:
    """What lies far below the budget is drawn at the lower edge: it would press the others into a line."""
    floor = -max(6 * budget, 4.0)
    low = min([-1.6 * budget, *(max(mark.points[1], 2 * floor) for mark in marks if mark.points[0] >= floor)])
    if any(mark.points[0] < floor for mark in marks):
        low = min(low, floor / 2)
    high = max([0.8 * budget, *(min(mark.points[2], -2 * floor) for mark in marks)])
    room = max(0.06 * (high - low), 0.05)
    return Scale(low - room, high + room, bottom, top)


def _grid(x: Scale, y: Scale, left: float, right: float, top: float, bottom: float) -> list[Markup]:
    parts, last = [], -math.inf
    for value in x.ticks(8):
        parts.append(tag("line", x1=x(value), x2=x(value), y1=top, y2=bottom, class_="grid"))
        if x(value) - last >= _TICK_PX:
            parts.append(tag("text", f"{value:g} ×", x=x(value), y=bottom + 15, class_="small middle"))
            last = x(value)
    for value in y.ticks(6):
        parts += [
            tag("line", x1=left, x2=right, y1=y(value), y2=y(value), class_="grid"),
            tag("text", minus(f"{value:+g}" if value else "0"), x=left - 6, y=y(value) + 4, class_="small end"),
        ]
    return parts


def _drawn_mark(mark: Mark, x: Scale, y: Scale) -> Markup:
    at, below = (x(mark.speed[0]), y(mark.points[0])), mark.points[0] < y.low
    kinds = [colour_class(mark.precision), "chosen" if mark.chosen else "", "" if mark.holds else "unsure"]
    shape = [
        tag("path", d=f"M{x(mark.speed[1]):.1f} {at[1]:.1f}H{x(mark.speed[2]):.1f}", class_="whisker"),
        tag("path", d=f"M{at[0]:.1f} {y(mark.points[1]):.1f}V{y(mark.points[2]):.1f}", class_="whisker"),
    ]
    if below:  # its place is farther down
        shape = [shape[0], tag("path", d=f"M{at[0] - 6:.1f} {at[1] - 9:.1f}h12l-6 9z", class_="dot")]
    else:
        if mark.front:
            shape.append(tag("circle", cx=at[0], cy=at[1], r=9.0, class_="front"))
        shape.append(tag("circle", cx=at[0], cy=at[1], r=6.5 if mark.chosen else 5.0, class_="dot"))
    shape.append(tag("circle", cx=at[0], cy=at[1], r=14.0, class_="reach"))
    # a title of its own would be shown beside the page's: it is taken over and away where scripts run
    return tag(
        "a",
        tag("title", mark.said),
        *shape,
        href=mark.href,
        class_=" ".join(["mark", *filter(None, kinds)]),
        aria_label=mark.said.replace("\n", ", "),
        data_candidate=mark.name,
    )


Box = tuple[float, float, float, float]


def _labels(
    marks: Sequence[Mark], baseline: str, x: Scale, y: Scale, frame: tuple[float, float, float, float], *, every: bool
) -> list[tuple[str, tuple[float, float, str], bool]]:
    """Names beside their marks where there is room: the chosen one first, the baseline, the front, then the fastest.

    Args:
        marks: the candidates.
        baseline: its name.
        x: of speeds.
        y: of points.
        frame: left, right, top and bottom of the field.
        every: whether others than the first two are named.
    """
    places = {mark.name: (x(mark.speed[0]), y(mark.points[0])) for mark in marks} | {baseline: (x(1), y(0))}
    ordered = [mark.name for mark in sorted(marks, key=lambda mark: (not mark.chosen, not mark.front, -mark.speed[0]))]
    chosen = {mark.name for mark in marks if mark.chosen}
    ordered = [
        *(name for name in ordered if name in chosen),
        baseline,
        *(name for name in ordered if name not in chosen),
    ]
    taken: list[Box] = [(px - 6, py - 6, px + 6, py + 6) for px, py in places.values()]
    found = []
    for name in ordered if every else ordered[: len(chosen) + 1]:
        (px, py), wide = places[name], _LABEL_PX * len(name)
        for dx, dy, side in (*_SIDES, *(_FARTHER if name in chosen else ())):
            begin = px + dx - (wide if side == "end" else wide / 2 if side == "middle" else 0)
            box = (begin - 2, py + dy - 11, begin + wide + 2, py + dy + 3)
            if box[0] < frame[0] or box[2] > frame[1] or box[1] < frame[2] or box[3] > frame[3]:
                continue
            if any(_overlap(box, other) for other in taken):
                continue
            taken.append(box)
            found.append((name, (px + dx, py + dy, side), name in chosen))
            break
    return found


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def figure_said(speed: tuple[float, float, float], points: tuple[float, float, float]) -> list[str]:
    """Both figures in words, as the picture's marks and the table say them."""
    return [
        f"{figure(speed[0])} × [{figure(speed[1])}, {figure(speed[2])}] as fast",
        f"{signed(points[0])} points [{signed(points[1])}, {signed(points[2])}]",
    ]
