"""A JSON file of a report as the class that its job wrote it from."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from temper.artifacts.manifest import read_document
from temper.errors import ArtifactError

Made = TypeVar("Made")


def made_from(content: Mapping[str, Any], from_json: Callable[[Mapping[str, Any]], Made], file: str | Path) -> Made:
    """What the content of a report's file says.

    Args:
        content: of the file.
        from_json: of the class, which refuses what is none of its content.
        file: where it stands, for an error.

    Raises:
        ArtifactError: it is not what a report's job writes.
    """
    try:
        return from_json(content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            asked=f"read {file}",
            happened=f"it is not what a report holds: {type(error).__name__}: {str(error)[:300]}",
            affected="nothing was written",
            fix="temper run --again report, in the study's folder: makes the report anew from the records",
        ) from None


def read_back(file: str | Path, from_json: Callable[[Mapping[str, Any]], Made]) -> Made:
    """What a report's file says.

    Raises:
        ArtifactError: it is absent, or not what a report's job writes.
    """
    return made_from(read_document(file), from_json, file)
