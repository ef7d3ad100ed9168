"""Libraries by version: the installed one, or another version in a folder of its own (one version per process)."""

import importlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType

from temper.errors import LibraryError

INSTALLED = "installed"  # the word in params.yaml for 'whichever version this environment holds'
LIBRARIES_FOLDER = Path(__file__).resolve().parents[2] / "libraries"


@dataclass(frozen=True)
class Library:
    """A library by its import name and the distributions that provide it, of which one is installed."""

    module: str
    distributions: tuple[str, ...]


def public_version(version: str) -> str:
    """A version without its local part: '2.13.0+cpu' is release 2.13.0."""
    return version.partition("+")[0]


def installed_version(library: Library, search_path: Iterable[str] | None = None) -> str | None:
    """Version of the library on `search_path` (default: this environment), without importing it; None if absent."""
    wanted = set(library.distributions)
    for name in library.distributions:
        found = metadata.distributions(name=name, path=list(sys.path if search_path is None else search_path))
        for distribution in found:
            if distribution.metadata["Name"] in wanted or distribution.version:
                return distribution.version
    return None


def folder_of(library: Library, version: str) -> Path:
    """Where `make library` puts another version than the installed one."""
    return LIBRARIES_FOLDER / f"{library.distributions[0]}-{version}"


def resolve_version(library: Library | None, asked: str) -> str:
    """The version that a row will run with: its number, or what is installed where it says 'installed'.

    Returns 'none' for a row that needs no library and 'not installed' where the library is absent: planning goes on,
    and the job itself says what is missing.
    """
    if library is None:
        return "none"
    if asked != INSTALLED:
        return asked
    return installed_version(library) or "not installed"


def import_library(library: Library, asked: str) -> ModuleType:
    """Import the library in the version a row asks for.

    Args:
        library: what to import.
        asked: a version, or 'installed'.

    Raises:
        LibraryError: it is not there in that version, or another version is already imported in this process.
    """
    here = installed_version(library)
    package = library.distributions[0]
    if asked != INSTALLED and (here is None or public_version(here) != public_version(asked)):
        folder = folder_of(library, asked)
        if not (folder / library.module).exists():
            raise LibraryError(
                asked=f"use {package} {asked}",
                happened=f"this environment holds {here or 'none'}, and {folder.name} is not in libraries/",
                spoiled="this row only",
                fix=f"make library PACKAGE={package} VERSION={asked}, or set the row's version to "
                f"{here or 'one that is installed'} in params.yaml",
            )
        sys.path.insert(0, str(folder))
    elif here is None:
        raise LibraryError(
            asked=f"use {package}",
            happened="it is not installed in this environment",
            spoiled="this row only",
            fix="make setup (or pip install -r requirements/cpu.txt), or drop the row from params.yaml",
        )
    try:
        module = importlib.import_module(library.module)
    except (ImportError, OSError) as error:  # a present library whose own shared objects are missing
        raise LibraryError(
            asked=f"import {library.module} {asked}",
            happened=f"{type(error).__name__}: {error}",
            spoiled="this row only",
            fix=f"reinstall {package}; docs/install.md lists what each platform needs",
        ) from error
    loaded = str(getattr(module, "__version__", asked))
    if asked != INSTALLED and public_version(loaded) != public_version(asked):
        raise LibraryError(
            asked=f"use {library.module} {asked}",
            happened=f"version {loaded} is already loaded in this process",
            spoiled="this row only; nothing was measured under the wrong version",
            fix="run each version in a process of its own, as the rules do",
        )
    return module
