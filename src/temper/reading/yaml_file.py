"""YAML from outside: 1.2, without tags, in which no key stands twice and anchors stand for no more than can be read."""

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from temper.reading.bounded import MOST_DIGITS, Unreadable, check_depth, read_text

MOST_CHARACTERS, MOST_NODES = 1_000_000, 100_000
_SMALLER = "write out what is needed: the largest file of ours has 240 lines"
_A_NUMBER = "give a number; null where a key takes it"
_ONCE = "rename or remove one of the two rows"


class Loader(yaml.SafeLoader):
    """YAML 1.2's core schema (section 10.3.2), and no key twice.

    PyYAML has the scalars of YAML 1.1, in which 2e-5, as DVC writes 2.0e-5, is text, `no` is false and 010 is eight. It also
    keeps the last of two equal keys in silence.
    """


_KEPT = {tag: f"tag:yaml.org,2002:{tag}" for tag in ("null", "bool", "int", "float", "merge")}
Loader.yaml_implicit_resolvers = {}  # its own: those of SafeLoader are shared by every reader of the process
Loader.add_implicit_resolver(_KEPT["null"], re.compile(r"^(?:null|Null|NULL|~|)$"), ["n", "N", "~", ""])
Loader.add_implicit_resolver(_KEPT["bool"], re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
Loader.add_implicit_resolver(
    _KEPT["int"], re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)
Loader.add_implicit_resolver(
    _KEPT["float"],
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+.0123456789"),
)
Loader.add_implicit_resolver(_KEPT["merge"], re.compile("^<<$"), ["<"])  # of 1.1; ruamel, DVC's reader, has it too


class Dumper(yaml.SafeDumper):
    """Writes what `parse_yaml` reads as it was: PyYAML's own leaves text such as '2e-5' without quotes."""


Dumper.yaml_implicit_resolvers = {
    first: [
        *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
        *Loader.yaml_implicit_resolvers.get(first, []),
    ]
    for first in {**yaml.SafeDumper.yaml_implicit_resolvers, **Loader.yaml_implicit_resolvers}
}


def _integer(loader: Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if len(text) > MOST_DIGITS:
        raise Unreadable(f"the number at line {node.start_mark.line + 1} has {len(text):,} digits", "correct it")
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))  # PyYAML's own takes 010 for octal


Loader.add_constructor(_KEPT["int"], _integer)


def _finite(loader: Loader, node: yaml.ScalarNode) -> float:
    value = float(loader.construct_yaml_float(node))
    if not math.isfinite(value):
        raise Unreadable(f"the number at line {node.start_mark.line + 1} is {node.value}", _A_NUMBER)
    return value


Loader.add_constructor(_KEPT["float"], _finite)


def _check_size(root: yaml.Node) -> None:
    """Refuse a file whose anchors stand for more than could be read: a line each doubles what there is."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = MOST_NODES + 1  # while it is counted: a node within itself has no end
            parts = [] if isinstance(node, yaml.ScalarNode) else node.value
            inner = (each for part in parts for each in (part if isinstance(part, tuple) else (part,)))
            sizes[id(node)] = min(1 + sum(map(size, inner)), MOST_NODES + 1)
        return sizes[id(node)]

    if size(root) > MOST_NODES:
        raise Unreadable(f"its anchors (&name, *name) stand for more than {MOST_NODES:,} values", _SMALLER)


def _unique_mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise Unreadable(
                f"the key at line {key_node.start_mark.line + 1} is a list or a mapping", "let every key be a name"
            )
        if key in seen:
            raise Unreadable(f"{key!r} stands twice, the second time at line {key_node.start_mark.line + 1}", _ONCE)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def parse_yaml(text: str) -> Any:
    """What a YAML text holds; None where it is empty.

    Raises:
        Unreadable: it is no YAML of one document, or beyond the bounds.
    """
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"it has {len(text):,} characters, and {MOST_CHARACTERS:,} is the most that is read", _SMALLER)
    try:
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_size(node)
            content = loader.construct_document(node)
        finally:
            loader.dispose()
    except RecursionError:
        raise Unreadable("it is nested too deeply", _SMALLER) from None
    except yaml.YAMLError as error:
        raise Unreadable(f"it is not valid YAML: {error}", "correct the line it names") from None
    check_depth(content)
    return content


def read_yaml(path: str | Path) -> Any:
    """What a YAML file holds; None where it is empty.

    Raises:
        Unreadable: as `parse_yaml`; or it is no ordinary file, not UTF-8, or larger.
        OSError: it is absent, or cannot be read.
    """
    return parse_yaml(read_text(path, 4 * MOST_CHARACTERS))
