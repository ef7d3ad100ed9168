"""Drawings as SVG: elements, scales with ticks, and paths in few bytes. Colours are the page's style sheet's."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

Point = tuple[float, float]
_STEPS = (1, 2, 5)


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element. Text and attributes are escaped, children that are Markup are not.

    Args:
        name: of the element.
        children: what stands in it.
        attributes: `class_` is class, an underscore inside a name a hyphen; those that are None are left out.
    """
    own = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(str(escape(child)) for child in children)
    return Markup(f"<{name}{own}/>" if not inside and name != "text" else f"<{name}{own}>{inside}</{name}>")


def _short(value: object) -> object:
    """A coordinate to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def together(parts: Iterable[Markup]) -> Markup:
    """Elements one after the other."""
    return Markup("").join(parts)


def drawing(
    width: float, height: float, *children: Markup, label: str, class_: str = "chart", role: str = "img"
) -> Markup:
    """A drawing that scales with its place. Without links it is one picture with a name; with links a group of them."""
    return tag(
        "svg", *children, class_=class_, viewBox=f"0 0 {width:g} {height:g}", role=role, aria_label=label, width="100%"
    )


@dataclass(frozen=True)
class Scale:
    """From values to pixels, straight or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Pixels of a value; those outside the scale lie at its ends."""
        kept = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(kept / self.low) / math.log(self.high / self.low)
        else:
            share = (kept - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values inside the scale, at most so many."""
        if self.log:
            found = _log_ticks(self.low, self.high)
            if len(found) > most:
                found = [value for value in found if _is_power(value)]
            if len(found) >= 4:
                return found[:: -(-len(found) // most)]
        return _round_ticks(self.low, self.high, most)


def _is_power(value: float) -> bool:
    return abs(math.log10(value) - round(math.log10(value))) < 1e-9


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    values = (step * 10.0**power for power in range(first, last + 1) for step in _STEPS)
    return [value for value in values if low * 0.999 <= value <= high * 1.001]


def _round_ticks(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [0.0 if number == 0 else number * step for number in range(first, last + 1)]


def path(points: Sequence[Point], *, close: bool = False) -> str:
    """A line through points, to whole pixels and relative to one another: few bytes."""
    rounded = [(round(x), round(y)) for x, y in points]
    (x, y), text = rounded[0], ""
    for own_x, own_y in rounded[1:]:
        text += f"l{own_x - x}{'' if own_y < y else ' '}{own_y - y}"
        x, y = own_x, own_y
    return f"M{rounded[0][0]} {rounded[0][1]}{text}{'z' if close else ''}"


def dots(points: Sequence[Point]) -> str:
    """A point at each place, each place once: drawn with a round line end."""
    text, at = "", (0, 0)
    for place in sorted({(round(x), round(y)) for x, y in points}):
        down = place[1] - at[1]
        text += f"m{place[0] - at[0]}{'' if down < 0 else ' '}{down}h0"
        at = place
    return f"M0 0{text}"
