"""params.yaml as a file: YAML 1.2, as DVC reads it, in which no key stands twice."""

import io
import math
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from temper.errors import ConfigError

FILE = "params.yaml"
MOST_CHARACTERS, MOST_NODES, MOST_DIGITS = 1_000_000, 100_000, 40
_SMALLER = "write out what the study needs: the largest of studies/ has 240 lines"


def params_error(happened: str, fix: str) -> ConfigError:
    """A finding in params.yaml while planning."""
    return ConfigError(
        asked="read params.yaml and plan the study", happened=happened, spoiled="nothing: no job was started", fix=fix
    )


class _ParamsLoader(yaml.SafeLoader):
    """YAML 1.2's core schema (section 10.3.2), and no key twice.

    PyYAML has the scalars of YAML 1.1, in which 2e-5, as DVC writes 2.0e-5, is text, `no` is false and 010 is eight. It also
    keeps the last of two equal keys in silence.
    """


_KEPT = {tag: f"tag:yaml.org,2002:{tag}" for tag in ("null", "bool", "int", "float", "merge")}
_ParamsLoader.yaml_implicit_resolvers = {}  # its own: those of SafeLoader are shared by every reader of the process
_ParamsLoader.add_implicit_resolver(_KEPT["null"], re.compile(r"^(?:null|Null|NULL|~|)$"), ["n", "N", "~", ""])
_ParamsLoader.add_implicit_resolver(_KEPT["bool"], re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_ParamsLoader.add_implicit_resolver(
    _KEPT["int"], re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)
_ParamsLoader.add_implicit_resolver(
    _KEPT["float"],
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+.0123456789"),
)
_ParamsLoader.add_implicit_resolver(
    _KEPT["merge"], re.compile("^<<$"), ["<"]
)  # of 1.1; ruamel, DVC's reader, has it too


class ParamsDumper(yaml.SafeDumper):
    """Writes what `load_params` reads as it was: PyYAML's own leaves text such as '2e-5' without quotes."""


ParamsDumper.yaml_implicit_resolvers = {
    first: [
        *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
        *_ParamsLoader.yaml_implicit_resolvers.get(first, []),
    ]
    for first in {**yaml.SafeDumper.yaml_implicit_resolvers, **_ParamsLoader.yaml_implicit_resolvers}
}


def _integer(loader: _ParamsLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if len(text) > MOST_DIGITS:
        raise params_error(f"the number at line {node.start_mark.line + 1} has {len(text):,} digits", "correct it")
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))  # PyYAML's own takes 010 for octal


_ParamsLoader.add_constructor(_KEPT["int"], _integer)


def _finite(loader: _ParamsLoader, node: yaml.ScalarNode) -> float:
    value = float(loader.construct_yaml_float(node))
    if not math.isfinite(value):
        raise params_error(
            f"the number at line {node.start_mark.line + 1} is {node.value}", "give a number; null where a key takes it"
        )
    return value


_ParamsLoader.add_constructor(_KEPT["float"], _finite)


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
        raise params_error(f"its anchors (&name, *name) stand for more than {MOST_NODES:,} values", _SMALLER)


def _unique_mapping(loader: _ParamsLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise params_error(
                f"the key at line {key_node.start_mark.line + 1} is a list or a mapping", "let every key be a name"
            )
        if key in seen:
            raise params_error(
                f"{key!r} stands twice, the second time at line {key_node.start_mark.line + 1}",
                "rename or remove one of the two rows",
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_ParamsLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def parse_params(text: str) -> Any:
    """What the text of a params file holds.

    Raises:
        ConfigError: a key is repeated.
        yaml.YAMLError: it is not YAML.
    """
    if len(text) > MOST_CHARACTERS:
        raise params_error(
            f"it has {len(text):,} characters, and {MOST_CHARACTERS:,} is the most that is read", _SMALLER
        )
    loader = _ParamsLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_size(node)
        return loader.construct_document(node)
    except RecursionError:
        raise params_error("it is nested too deeply", _SMALLER) from None
    finally:
        loader.dispose()


def load_params(file: str | Path) -> Any:
    """What a params file holds; None where it is empty.

    Raises:
        ConfigError: it is absent, a key is repeated, or it is not YAML.
    """
    try:
        return parse_params(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        fix = f"name the folder of a study, which holds {FILE}: --directory"
        raise params_error(f"{file} cannot be read: {error.strerror}", fix) from None
    except yaml.YAMLError as error:
        raise params_error(f"{file} is not valid YAML: {error}", "correct the line it names") from None
    except UnicodeDecodeError as error:
        raise params_error(f"{file} is not UTF-8: {error}", "save it as UTF-8") from None


def _update(content: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(content.get(key), dict):
            _update(content[key], value)
        else:
            content[key] = dict(value) if isinstance(value, Mapping) else value


def read_params(files: Iterable[str | Path], given: Mapping[str, Any]) -> dict[str, Any]:
    """What Snakemake's configuration files hold together, as it merges them, but read as YAML 1.2.

    Args:
        files: a later one adds to those before, and replaces what they say.
        given: what was said on the command line (`--config`), over all of them.

    Raises:
        ConfigError: a key is repeated, or a file is not YAML or holds no keys.
    """
    content: dict[str, Any] = {}
    for file in files:
        found = load_params(file)
        if not isinstance(found, Mapping):
            raise params_error(f"{file} holds no keys", "start from the params.yaml of this repository")
        _update(content, found)
    _update(content, given)
    return content


def edited(text: str, edit: Callable[[Any], None]) -> str:
    """The text of a params file after a change of what it holds; comments and order stay.

    Args:
        text: of the file.
        edit: changes the study, a mapping by section.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 200
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    study = yaml.load(text)
    edit(study)
    stream = io.StringIO()
    yaml.dump(study, stream)
    return stream.getvalue()


def with_value(text: str, key: str, value: str) -> str | None:
    """The text of a params file with one value replaced, and not one other byte.

    Args:
        text: of the file.
        key: dotted path of a value that is there.
        value: a number, a word, true, false or null, as it would stand in the file.

    Returns:
        None where the key has no such value, or the new one is none: lists and mappings are left to DVC.
    """
    node: Any = yaml.compose(text, Loader=_ParamsLoader)
    content = found = parse_params(text)
    *parents, last = key.split(".")
    for name in (*parents, last):
        inner = (
            [after for before, after in node.value if before.value == name]
            if isinstance(node, yaml.MappingNode)
            else []
        )
        if not inner:
            return None
        node = inner[0]
    try:
        new = parse_params(value)
        changed = text[: node.start_mark.index] + value + text[node.end_mark.index :]
        for name in parents:
            found = found[name]
        found[last] = new
        single = isinstance(node, yaml.ScalarNode) and not isinstance(new, (list, dict))
        return changed if single and parse_params(changed) == content else None
    except (yaml.YAMLError, ConfigError, KeyError, TypeError):
        return None
