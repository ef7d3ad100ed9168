"""Temper: measured, verified, exactly rebuilt inference artifacts from a fine-tuned classifier."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from temper.api.study import OpenStudy

CHANGES_NO_RESULT = "it opens a study for who asks in Python"
__all__ = ["open_study"]


def open_study(path: "str | os.PathLike[str]" = ".", machine: str | None = None) -> "OpenStudy":
    """A study's records, choice, answers and artifacts, for notebooks and services (docs/how-to/python.md).

    Args:
        path: folder of a study, or of filed records: results/<machine>/<study>.
        machine: whose report is meant, where its candidates are measured on several (`machines:`).

    Raises:
        ConfigError: it is neither.
    """
    from temper.api.study import OpenStudy

    return OpenStudy(path, machine)
