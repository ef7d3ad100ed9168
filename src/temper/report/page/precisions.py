"""Precisions by name: in which order they stand, which colour they have, what a record says that really ran."""

from collections.abc import Mapping
from typing import Any

from temper.measurement.record import Record, Workload

ORDER = ("INT4", "FP4", "INT8", "UINT8", "FP8", "FP16", "BF16", "TF32", "FP32", "FP64")
_COLOURS = {"UINT8": "INT8", "FP4": "INT4"}
_NAMED = {"INT4", "INT8", "FP8", "FP16", "BF16", "TF32", "FP32"}


def colour_class(precision: str | None) -> str:
    """The class that the style sheet colours: 'p-int8'; 'p-other' for what it does not name."""
    name = _COLOURS.get(precision or "", precision or "")
    return f"p-{name.lower()}" if name in _NAMED else "p-other"


def in_order(shares: Mapping[str, float]) -> list[tuple[str, float]]:
    """Precisions with what they have, the narrowest first, those that are not known by name last."""
    place = {name: at for at, name in enumerate(ORDER)}
    return sorted(((k, v) for k, v in shares.items() if v), key=lambda each: (place.get(each[0], len(ORDER)), each[0]))


def executed(record: Record, workload: str) -> Mapping[str, Any] | None:
    """What the library says it executed; None where it does not tell."""
    own = record.workloads.get(workload)
    return own.executed if isinstance(own, Workload) else None


def narrowest(record: Record, workload: str) -> str | None:
    """The narrowest precision in which products ran; None where the backend does not tell."""
    ran = executed(record, workload)
    named = in_order(ran["products_by_precision"]) if ran else []
    return named[0][0] if named else None
