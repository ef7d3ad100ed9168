"""A point of a search: one artifact on one backend, as ordinary entries of params.yaml."""

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Point:
    """One artifact on one backend.

    Attributes:
        name: made of what it is.
        loads: checkpoint, onnx/<row> or engines/<row>.
        backend: a row of `backends:`.
        answers: points of one name answer alike: they differ in how the processor is shared out.
        low_precision: whether products are computed in 8 bits.
        callers: loadings that are called at once, where throughput is asked for.
    """

    name: str
    loads: str
    backend: Row = field(hash=False)
    answers: str = ""
    low_precision: bool = False
    callers: int = 1
