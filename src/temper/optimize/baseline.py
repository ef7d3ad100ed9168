"""What the study's baseline is made of, beside the rows of a search."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from temper.optimize.space import Space

_ENDING = "-of-the-study"  # of a row's name that a search gives to another row
_LINKS = (("buckets", "buckets"), ("calibration", "calibrations"), ("onnx", "conversions"))


@dataclass(frozen=True)
class Baseline:
    """Rows that make what the baseline loads.

    Attributes:
        loads: as it is named beside the search's rows.
        rows: by section: buckets, calibrations, conversions, engines.
        starts: the row of `exports:` that all start from; empty for a checkpoint.
    """

    loads: str
    rows: Mapping[str, Mapping[str, Any]]
    starts: str


def baseline_of(words: Mapping[str, Any], space: Space) -> Baseline:
    """The baseline's rows, renamed where the search has another row of that name.

    Args:
        words: the study, spelt out.
        space: of the search.
    """
    loads: str = words["baseline"]["loads"]
    kind, _, name = loads.partition("/")
    found: dict[str, dict[str, Any]] = {
        section: {} for section in ("buckets", "calibrations", "conversions", "engines")
    }
    taken: Mapping[str, Mapping[str, Any]] = {
        **{"buckets": {}, "calibrations": space.calibrations},
        **{"conversions": space.conversions, "engines": space.engines},
    }

    def added(section: str, name: str) -> str:
        """The name of a row, taken up with all that it names; a row of exports stays as it is."""
        row = words.get(section, {}).get(name)
        if row is None:
            return name
        mine = f"{name}{_ENDING}" if name in taken[section] and taken[section][name] != row else name
        links = {key: added(other, row[key]) for key, other in _LINKS if key in row}
        found[section][mine] = {**row, **links}
        return mine

    if not name:
        return Baseline(loads, found, "")
    section = "engines" if kind == "engines" else "conversions"
    loads = f"{kind}/{added(section, name)}"
    start = loads.partition("/")[2]
    start = found["engines"].get(start, {"onnx": start})["onnx"]
    while start in found["conversions"]:
        start = found["conversions"][start]["onnx"]
    return Baseline(loads, found, start)
