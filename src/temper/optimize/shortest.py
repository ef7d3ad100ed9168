"""A params.yaml with nothing in it that its defaults say as well."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from temper.errors import ConfigError
from temper.study.resolve import resolve, rows_of_defaults

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


def leaf_values(content: Any) -> int:
    """How many values a params.yaml gives; a list is one."""
    return sum(map(leaf_values, content.values())) if isinstance(content, Mapping) else 1


def shortest(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same study in fewer words.

    Args:
        content: of a params.yaml that says `defaults`.

    Returns:
        What resolves to the same; a backend that the defaults have has their name.
    """
    found: dict[str, Any] = _unshared(content)
    found = _reduced(found, list(_paths(found)), resolve(found))
    for name in list(found.get("backends", {})):
        found = min((found, *_by_the_defaults(found, name)), key=leaf_values)
    return found


def _unshared(value: Any) -> Any:
    """The same content, in which no two rows are one object: what goes from one would go from the other."""
    return {key: _unshared(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value


def _reduced(content: Mapping[str, Any], paths: list[tuple[str, ...]], whole: Mapping[str, Any]) -> dict[str, Any]:
    """The content without those of the keys without which it still resolves to `whole`."""
    found = dict(content)
    for path in paths:
        shorter = _without(found, path)
        if _resolves(shorter, whole):
            found = shorter
    return found


def _resolves(content: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    try:
        return resolve(content) == whole
    except ConfigError:
        return False


def _by_the_defaults(content: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """The content with a backend of the defaults in the place of its own, or with one that is like theirs.

    What the baseline runs on keeps its row: it is the study's own.
    """
    whole, row = resolve(content), content["backends"][name]
    if whole["baseline"]["backend"] == name:
        return
    for known, theirs in rows_of_defaults("backends").items():
        if theirs["runner"] != row.get("runner"):
            continue
        there = whole["backends"].get(known, whole["backends"][name])
        named = _renamed(_without(content, ("backends", name)), name, known)
        if there == whole["backends"][name] and _resolves(named, _renamed(whole, name, known)):
            yield named
        like = {**content, "backends": {**content["backends"], name: {**row, "like": known}}}
        options = [("backends", name, "options", option) for option in row.get("options", {})]
        yield _reduced(like, [("backends", name, "runner"), *options], whole)


def _renamed(content: Mapping[str, Any], name: str, known: str) -> dict[str, Any]:
    """The content with another name for a backend, where it stands and where it is named."""
    found = copy.deepcopy(dict(content))
    if name in found.get("backends", {}):
        row = found["backends"].pop(name)
        found["backends"].setdefault(known, row)
    for section in ("candidates", "load_tests"):
        for each in found.get(section, {}).values():
            if each.get("backend") == name:
                each["backend"] = known
    return found
