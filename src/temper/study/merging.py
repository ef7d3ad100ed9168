"""Values of params.yaml laid over one another."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any


def mapping(value: Any) -> Mapping[str, Any]:
    """A section to look into; what is none is left to the schema, which names it."""
    return value if isinstance(value, Mapping) else {}


def merged(under: Any, over: Any) -> Any:
    """Two values, the second over the first: mappings key by key, all else as a whole.

    Keys stand in the order of the first: Snakemake takes a row whose keys stand otherwise for another row.
    """
    if not (isinstance(under, Mapping) and isinstance(over, Mapping)):
        return copy.deepcopy(over)
    found = {key: merged(value, over[key]) if key in over else copy.deepcopy(value) for key, value in under.items()}
    return {**found, **{key: copy.deepcopy(value) for key, value in over.items() if key not in under}}


def ordered(row: Any, order: Iterable[str]) -> Any:
    """A row with these keys first."""
    return {key: row[key] for key in (*order, *row) if key in row} if isinstance(row, Mapping) else row
