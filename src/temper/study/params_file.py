"""params.yaml as a file: YAML 1.2, as DVC reads it, in which no key stands twice."""

import io
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from temper.errors import ConfigError
from temper.reading.bounded import Unreadable
from temper.reading.yaml_file import Loader, parse_yaml, read_yaml
from temper.study.refusal import params_error

FILE = "params.yaml"


def parse_params(text: str, called: str = "it") -> Any:
    """What the text of a params file holds; None where it is empty.

    Args:
        text: of the file.
        called: what an error calls it.

    Raises:
        ConfigError: a key is repeated, it is not YAML, or beyond the bounds of `temper.reading.yaml_file`.
    """
    try:
        return parse_yaml(text)
    except Unreadable as error:
        raise _unreadable(error, called) from None


def _unreadable(error: Unreadable, called: str) -> ConfigError:
    happened = str(error) if called == "it" else re.sub("^it ", f"{called} ", str(error))
    return params_error(happened, error.fix or "write it as one YAML document in UTF-8")


def load_params(file: str | Path) -> Any:
    """What a params file holds; None where it is empty.

    Raises:
        ConfigError: it is absent, or as of `parse_params`.
    """
    try:
        return read_yaml(file)
    except OSError as error:
        fix = f"name the folder of a study, which holds {FILE}: --directory"
        raise params_error(f"{file} cannot be read: {error.strerror}", fix) from None
    except Unreadable as error:
        raise _unreadable(error, str(file)) from None


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
    node: Any = yaml.compose(text, Loader=Loader)
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
    except (ConfigError, KeyError, TypeError):
        return None
