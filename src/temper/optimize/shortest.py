"""A params.yaml with nothing in it that its defaults say as well."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from temper.errors import ConfigError
from temper.study.resolve import resolve

_ROWS = ("calibrations", "conversions", "engines", "analysis")  # sections whose rows may be those of defaults.yaml


def _without(content: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The content without a key, and without sections that it leaves empty."""
    found = copy.deepcopy(dict(content))
    parents = [found]
    for key in path[:-1]:
        parents.append(parents[-1][key])
    del parents[-1][path[-1]]
    for key, parent, child in zip(reversed(path[:-1]), reversed(parents[:-1]), reversed(parents[1:]), strict=True):
        if not child:
            del parent[key]
    return found


def _paths(content: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Rows, then options of backends: what may go, as long as it says nothing new."""
    for section in _ROWS:
        for name in list(content.get(section, {})):
            yield section, name
    for name, row in content.get("backends", {}).items():
        for option in row.get("options", {}):
            yield "backends", name, "options", option


def shortest(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same study in fewer words.

    Args:
        content: of a params.yaml that says `defaults`.

    Returns:
        What resolves to the same.
    """
    whole, found = resolve(content), dict(content)
    for path in list(_paths(content)):
        shorter = _without(found, path)
        try:
            if resolve(shorter) == whole:
                found = shorter
        except ConfigError:
            continue
    return found
