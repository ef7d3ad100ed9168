"""params.yaml as a file: YAML in which no key stands twice."""

import io
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import yaml

from temper.errors import ConfigError


def params_error(happened: str, fix: str) -> ConfigError:
    """A finding in params.yaml while planning."""
    return ConfigError(
        asked="read params.yaml and plan the study", happened=happened, spoiled="nothing: no job was started", fix=fix
    )


class _UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys in silence; here they are an error."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
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


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def check_unique_keys(file: str | Path) -> None:
    """Refuse a params file in which a key stands twice.

    Raises:
        ConfigError: a key is repeated, or the file is not YAML.
    """
    try:
        yaml.load(Path(file).read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise params_error(f"{file} is not valid YAML: {error}", "correct the line it names") from None
    except UnicodeDecodeError as error:
        raise params_error(f"{file} is not UTF-8: {error}", "save it as UTF-8") from None


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
