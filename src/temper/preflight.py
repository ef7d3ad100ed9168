"""What can be refused before any job starts."""

import os
from pathlib import Path

from temper.errors import StorageError


def check_writable(*folders: str) -> None:
    """Check that artifacts can be written below the working directory.

    Raises:
        StorageError: one of the folders, or the place where it would be made, is read-only.
    """
    for name in folders:
        folder = Path(name)
        place = folder if folder.exists() else Path(".")
        if not os.access(place, os.W_OK | os.X_OK) or (folder.exists() and not folder.is_dir()):
            raise StorageError(
                asked=f"write the study's results below {folder}/",
                happened=f"{place.resolve().name or place} is {'read-only' if place.is_dir() else 'not a folder'}",
                spoiled="nothing: no job was started",
                fix="give yourself write permission there, or run with --directory in a folder that is writable",
            )
