"""The text of a params.yaml: a row in a line."""

from collections.abc import Mapping
from typing import Any

import yaml

from temper.reading.yaml_file import Dumper

# sections that are one row, and stand in a line where they are short
_ONE_ROW = ("model", "train", "analysis", "baseline")


def flow(value: Any) -> str:
    """A value in a line."""
    text: str = yaml.dump(
        value, Dumper=Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6
    )
    return text.removesuffix("...\n").strip()


def as_yaml(content: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> str:
    """The text of a study: what is one value or one row in a line, of other sections each row.

    Args:
        content: by section.
        comments: what stands behind a section's name.
    """
    lines: list[str] = []
    for key, value in content.items():
        comment = f"  # {comments[key]}" if comments and key in comments else ""
        if not isinstance(value, Mapping) or not value or key in _ONE_ROW:
            lines.append(f"{key}: {flow(value)}{comment}")
        else:
            lines.append(f"{key}:{comment}")
            lines += [f"  {flow(name)}: {flow(row)}" for name, row in value.items()]
    return "\n".join(lines) + "\n"
