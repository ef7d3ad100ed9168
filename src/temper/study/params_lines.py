"""Where in params.yaml a key stands that an error names: the number of its line."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from temper.errors import ConfigError
from temper.reading.bounded import read_text
from temper.reading.yaml_file import Loader

CHANGES_NO_RESULT = "it says where in a file a refused value stands"
# a key in a sentence: a dotted one, or one with which a finding begins
_PATH = re.compile(r"(?<![\w./-])[\w-]+(?:\.[\w-]+)+|(?:^|(?<=; ))[\w-]+(?= (?:is|has|names) )")
_MOST_NAMED = 5


def _inner(node: yaml.Node, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """The key and the value below a node."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == name), None)
    if isinstance(node, yaml.SequenceNode) and name.isdecimal() and int(name) < len(node.value):
        return node.value[int(name)], node.value[int(name)]
    return None


def line_of(root: yaml.Node, path: Sequence[str]) -> int | None:
    """The line of a key, counted from 1; of a key that is not there, that of what it belongs to. None where neither is."""
    found, node = None, root
    for name in path:
        inner = _inner(node, name)
        if inner is None:
            break
        found, node = inner[0].start_mark.line + 1, inner[1]
    return found


@contextlib.contextmanager
def naming_lines(file: str | Path) -> Iterator[None]:
    """Let a ConfigError inside say at which lines of a params file the keys stand that it names.

    Args:
        file: the params file; where it cannot be read, the error stays as it is.
    """
    try:
        yield
    except ConfigError as error:
        try:
            root = yaml.compose(read_text(file), Loader=Loader)
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            raise error from None
        if root is None:
            raise
        paths = list(dict.fromkeys(_PATH.findall(error.happened)))[:_MOST_NAMED]
        lines = {path: line for path in paths if (line := line_of(root, path.split("."))) is not None}
        if not lines:
            raise
        numbers = list(dict.fromkeys(lines.values()))
        where = f"line {numbers[0]}" if len(numbers) == 1 else f"lines {', '.join(map(str, numbers))}"
        raise type(error)(
            asked=error.asked,
            happened=f"{error.happened} ({Path(file).name}, {where})",
            affected=error.affected,
            fix=error.fix,
        ) from None
