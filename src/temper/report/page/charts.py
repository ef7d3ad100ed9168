"""The page's pictures of latencies: the trade-off of a workload, distributions, calls over time, bars."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from markupsafe import Markup

from temper.measurement.record import Workload
from temper.report.formats import significant
from temper.report.page.formats import figure, minus
from temper.report.page.precisions import colour_class, in_order
from temper.report.page.svg import Scale, dots, drawing, path, tag, together

_BINS = 64
_DOTS = 260  # calls that are drawn of one side; of more each stands for the slowest of several


def turned(text: str, x: float, y: float) -> Markup:
    return tag("text", text, x=x, y=y, transform=f"rotate(-90 {x:g} {y:g})", class_="small middle")


def ratio_bar(speed: tuple[float, float, float], scale: tuple[float, float]) -> Markup:
    """A bar from 1 × to a speed-up, with its interval; to the left where it is slower. The scale is its workload's."""
    x = Scale(scale[0], scale[1], 2.0, 118.0, log=True)
    one, value = x(1), x(speed[0])
    return tag(
        "svg",
        tag("rect", x=min(one, value), y=3.0, width=max(abs(value - one), 1.0), height=8.0, class_="bar"),
        tag(
            "path",
            d=f"M{x(speed[1]):.1f} 7H{x(speed[2]):.1f}M{x(speed[1]):.1f} 4v6M{x(speed[2]):.1f} 4v6",
            class_="whisker",
        ),
        tag("line", x1=one, x2=one, y1=0, y2=14, class_="one"),
        class_=f"ratio {'faster' if speed[0] >= 1 else 'slower'}",
        viewBox="0 0 120 14",
        width=120,
        height=14,
        aria_hidden="true",
    )


def _density(latencies: Sequence[float], x: Scale, base: float, height: float) -> str:
    """How the calls are spread, on the scale's own terms; the highest bin is as high as the drawing."""
    bins, ratio = [0] * _BINS, math.log(x.high / x.low)
    for value in latencies:
        bins[min(_BINS - 1, max(0, int(_BINS * math.log(max(value, x.low) / x.low) / ratio)))] += 1
    smooth = [(bins[max(at - 1, 0)] + 2 * bins[at] + bins[min(at + 1, _BINS - 1)]) / 4 for at in range(_BINS)]
    most, step = max(smooth), (x.end - x.start) / _BINS
    tops = [(x.start + step * (at + 0.5), base - height * value / most) for at, value in enumerate(smooth)]
    return path([(x.start, base), *tops, (x.end, base)], close=True)


def _milliseconds(value: float) -> str:
    return f"{value:g}"


def distribution(own: Workload, *, name: str, baseline: str, width: float = 460, height: float = 176) -> Markup:
    """How the calls of a candidate and of the baseline beside it are spread, on a logarithmic scale."""
    others = own.baseline_latencies_ms or []
    every = sorted([*own.latencies_ms, *others])
    low, high = max(every[0], 1e-6), every[min(len(every) - 1, int(0.995 * len(every)))]
    x = Scale(low / 1.05, max(high, low * 1.2) * 1.05, 12.0, width - 12, log=True)
    base = height - 34
    parts = [
        *(tag("line", x1=x(value), x2=x(value), y1=8, y2=base, class_="grid") for value in x.ticks(6)),
        *(tag("text", _milliseconds(value), x=x(value), y=base + 15, class_="small middle") for value in x.ticks(6)),
        tag("text", "ms per call, logarithmic", x=width / 2, y=height - 4, class_="small middle"),
    ]
    for latencies, kind in ((others, "theirs"), (own.latencies_ms, "own")):
        if not latencies:
            continue
        middle = x(median(latencies))
        parts += [
            tag("path", d=_density(latencies, x, base, base - 22), class_=f"density {kind}"),
            tag("line", x1=middle, x2=middle, y1=12, y2=base, class_=f"middle-line {kind}"),
        ]
    parts.append(tag("line", x1=12, x2=width - 12, y1=base, y2=base, class_="axis"))
    said = f"Distribution of latencies: {name} has a median of {significant(median(own.latencies_ms))} ms"
    if others:
        said += f", {baseline} beside it {significant(median(others))} ms"
    return drawing(width, height, *parts, label=said)


def _parts(values: Sequence[float], size: int) -> Iterator[Sequence[float]]:
    """So many at a time; the last may have fewer."""
    return (values[at : at + size] for at in range(0, len(values), size))


def _thinned(latencies: Sequence[float]) -> list[float]:
    """As many as can be drawn: of several calls the slowest."""
    size = math.ceil(len(latencies) / _DOTS)
    return [max(part) for part in _parts(latencies, size)]


def calls_over_time(own: Workload, *, name: str, baseline: str, width: float = 460, height: float = 176) -> Markup:
    """Every call in the order of its turn, candidate and baseline interleaved: a disturbance is seen in both."""
    sides = [(side, kind) for side, kind in ((own.baseline_latencies_ms, "theirs"), (own.latencies_ms, "own")) if side]
    every = sorted(value for side, _ in sides for value in side)
    low, high = max(every[0], 1e-6), max(every[-1], every[0] * 1.2)
    y = Scale(low / 1.04, high * 1.04, height - 34, 8.0, log=True)
    parts: list[Markup] = []
    for value in y.ticks(5):
        parts += [
            tag("line", x1=44, x2=width - 10, y1=y(value), y2=y(value), class_="grid"),
            tag("text", _milliseconds(value), x=40, y=y(value) + 4, class_="small end"),
        ]
    for side, kind in sides:
        shown = _thinned(side)
        x = Scale(0, max(len(shown) - 1, 1), 48.0, width - 14)
        parts.append(tag("path", d=dots([(x(at), y(value)) for at, value in enumerate(shown)]), class_=f"dots {kind}"))
        blocks = _blocks(side, own.calls_per_turn)
        along = Scale(0, max(len(blocks) - 1, 1), 48.0, width - 14)
        line = path([(along(at), y(value)) for at, value in enumerate(blocks)])
        parts.append(tag("path", d=line, class_=f"turns {kind}"))
    parts.append(
        tag("text", f"{len(own.latencies_ms):,} calls in turns →", x=width / 2, y=height - 4, class_="small middle")
    )
    parts.append(turned("ms", 10.0, (height - 34) / 2 + 4))
    return drawing(width, height, *parts, label=f"Calls of {name} and {baseline} over time, in milliseconds")


def _blocks(side: Sequence[float], calls: int) -> list[float]:
    """Medians of the turns, of several where there are more than can be drawn."""
    turns = math.ceil(len(side) / max(calls, 1) / 100)
    return [median(part) for part in _parts(side, max(calls, 1) * turns)]


def shares_bar(shares: Mapping[str, float], *, label: str) -> Markup:
    """One bar, cut by precision; each part named where it is wide enough."""
    total, parts, x = sum(shares.values()), [], 0.0
    for name, value in in_order(shares):
        wide = 460 * value / total
        inside = (
            tag("text", f"{name}", x=x + wide / 2, y=15, class_="small middle on-bar")
            if wide > 9 * len(name)
            else Markup("")
        )
        parts.append(
            tag(
                "g",
                tag(
                    "title",
                    f"{name}: {figure(value)} of {figure(total)}"
                    if total > 1.001
                    else f"{name}: {figure(100 * value)} %",
                ),
                tag("rect", x=x, y=1, width=max(wide - 1, 0.5), height=20, rx=2, class_=f"part {colour_class(name)}"),
                inside,
            )
        )
        x += wide
    return drawing(460, 22, *parts, label=label, class_="chart shares")


def load_curve(
    points: Sequence[tuple[float, float, bool]], *, bound_ms: float | None, percentile: str, label: str
) -> Markup:
    """Latency against the rate of arrivals, one mark for each run of the search: held the bound, or did not.

    Args:
        points: rate per second, latency at the percentile in ms, whether LoadGen called the run VALID.
        bound_ms: the latency that it may have.
        percentile: which one, as 'p99'.
        label: what the drawing shows.
    """
    width, height = 460.0, 210.0
    latencies = [latency for _, latency, _ in points] + ([bound_ms] if bound_ms else [])
    x = Scale(0, max(rate for rate, *_ in points) * 1.08, 52, width - 12)
    y = Scale(min(latencies) / 1.3, max(latencies) * 1.3, height - 36, 10, log=True)
    parts = []
    for value in y.ticks(5):
        parts += [
            tag("line", x1=52, x2=width - 12, y1=y(value), y2=y(value), class_="grid"),
            tag("text", _milliseconds(value), x=47, y=y(value) + 4, class_="small end"),
        ]
    for value in x.ticks(6):
        parts.append(tag("text", f"{value:,.10g}", x=x(value), y=height - 20, class_="small middle"))
    if bound_ms:
        parts += [
            tag("line", x1=52, x2=width - 12, y1=y(bound_ms), y2=y(bound_ms), class_="budget"),
            tag("text", f"bound {bound_ms:g} ms", x=58, y=y(bound_ms) - 5, class_="small warn"),
        ]
    ordered = sorted(points)
    if len(ordered) > 1:
        parts.append(tag("path", d=path([(x(rate), y(latency)) for rate, latency, _ in ordered]), class_="turns own"))
    for rate, latency, valid in ordered:
        said = f"{figure(rate)} per s: {percentile} {figure(latency)} ms, {'VALID' if valid else 'INVALID'}"
        parts.append(
            tag(
                "g",
                tag("title", said),
                tag("circle", cx=x(rate), cy=y(latency), r=4.0, class_=f"run {'valid' if valid else 'invalid'}"),
            )
        )
    parts.append(tag("text", "samples asked for per second →", x=width / 2, y=height - 4, class_="small middle"))
    parts.append(turned(f"{percentile}, ms", 10.0, height / 2 - 12))
    return drawing(width, height, *parts, label=label)


def layer_bars(
    layers: Sequence[Mapping[str, Any]], *, label: str, most: int = 24, width: float = 460.0, left: float = 236.0
) -> Markup:
    """For each layer what quantising it alone loses and what leaving it out gains, the largest gain first.

    Args:
        layers: name, loss, gain and whether it is kept in float.
        label: what the picture shows.
        most: how many of them it shows.
        width: of the picture.
        left: of it, what the names take.
    """
    shown = sorted(layers, key=lambda each: (-each["gain"], each["name"]))[:most]
    line, letters = 17.0, int((left - 8) / 6)
    height = 26 + line * len(shown)
    values = [0.0, *(each[key] for each in shown for key in ("gain", "loss"))]
    x = Scale(min(values), max(max(values), 1e-9) * 1.04, left, width - 8)
    parts = [tag("line", x1=x(0), x2=x(0), y1=2, y2=height - 20, class_="axis")]
    for value in x.ticks(3):
        parts.append(tag("text", minus(f"{value:g}"), x=x(value), y=height - 5, class_="small middle"))
    for number, each in enumerate(shown):
        top = 4 + line * number
        name = each["name"] if len(each["name"]) <= letters else "…" + each["name"][1 - letters :]
        loss, gain = (minus(f"{each[key]:.4f}") for key in ("loss", "gain"))
        said = f"{each['name']}: quantised alone it loses {loss}, left out it gains {gain}"
        bars = [
            tag(
                "rect",
                x=min(x(0), x(each[key])),
                y=top + shift,
                width=max(abs(x(each[key]) - x(0)), 0.5),
                height=5,
                class_=kind,
            )
            for key, shift, kind in (("loss", 1, "density theirs"), ("gain", 7, "density own"))
        ]
        kept = " strong" if each["kept"] else ""
        parts.append(
            tag(
                "g",
                tag("title", said),
                *bars,
                tag("text", name, x=left - 8, y=top + 11, class_=f"small end mono{kept}"),
            )
        )
    return drawing(width, height, together(parts), label=label)
