"""What a search left: search.json. Its readers do not depend on the code that searches."""

from pathlib import Path
from typing import Any

from temper.artifacts.manifest import read_manifest
from temper.study.sections.searches import SEARCH_FILES

SEARCH_FILE = SEARCH_FILES[0]


def read_search(folder: str | Path) -> dict[str, Any]:
    """A search's record, its files checked.

    Returns:
        row; layers: each with its name, multiplications, distances and its loss and gain (mean absolute logit difference);
        trials in their order; chosen, one of them; keep_in_float: names of its layers; evaluations.

    Raises:
        ArtifactError: a file of it is missing or altered.
    """
    return read_manifest(Path(folder) / SEARCH_FILE, kind="search", verify=[])
