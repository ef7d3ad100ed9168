"""Libraries by version: the installed one, or another version in a folder of its own (one version per process)."""

import importlib
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType

from temper.errors import LibraryError

NOT_INSTALLED = "not installed"  # what a plan says in place of a version
INSTALLED = "installed"  # the word in params.yaml for 'whichever version this environment holds'
VERSION_PATTERN = r"^(installed|[0-9][0-9A-Za-z]*([.+_-][0-9A-Za-z]+)*)$"  # becomes the name of a folder
LIBRARIES_FOLDER = Path(sys.prefix) / "libraries"  # of the Python environment: every checkout that uses it finds them


@dataclass(frozen=True)
class Library:
    """A library by its import name, the distributions that provide it (one of them is installed), and its name in words."""

    module: str
    distributions: tuple[str, ...]
    title: str  # as its makers write it


def public_version(version: str) -> str:
    """A version without its local part: '2.13.0+cpu' is release 2.13.0."""
    return version.partition("+")[0]


def _environment() -> list[str]:
    """`sys.path` without the folders of other versions that `import_library` has put in front of it."""
    return [entry for entry in sys.path if LIBRARIES_FOLDER not in Path(entry).parents]


def installed_version(library: Library, search_path: Iterable[str] | None = None) -> str | None:
    """Version of the library on `search_path` (default: this environment), without importing it; None if absent."""
    path = _environment() if search_path is None else list(search_path)
    for name in library.distributions:
        for distribution in metadata.distributions(name=name, path=path):
            return distribution.version
    return None


def loaded_version(library: Library, module: ModuleType) -> str:
    """Version of an imported module: of the distribution it was loaded from, else its own `__version__`.

    The distribution comes first because a module's own word is not always a version (OpenVINO's names its branch).
    """
    beside = [str(Path(module.__file__).parents[library.module.count(".") + 1])] if module.__file__ else []
    return installed_version(library, beside) or str(getattr(module, "__version__", "unknown"))


def folder_of(library: Library, version: str) -> Path:
    """Where `make library` puts another version than the installed one.

    Raises:
        LibraryError: it is no version, but may be a path to somewhere else.
    """
    if not re.fullmatch(VERSION_PATTERN, version):
        raise LibraryError(
            asked=f"use {library.distributions[0]} {version!r}",
            happened="that is no version",
            affected="nothing: no folder was looked into",
            fix="give a version as its makers write it, such as 1.31.1 or 10.13.0.35, or 'installed'",
        )
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
    return installed_version(library) or NOT_INSTALLED


def _refuse_rivals(library: Library) -> None:
    """Refuse two distributions of one module in different versions: their metadata cannot say which one is imported."""
    path = _environment()
    found = {name: installed_version(Library(library.module, (name,), ""), path) for name in library.distributions}
    there = {name: version for name, version in found.items() if version is not None}
    if len(set(there.values())) > 1:
        raise LibraryError(
            asked=f"use {library.title}",
            happened=" and ".join(f"{name} {version}" for name, version in there.items())
            + f" are both installed: they own the same module, {library.module}, and either may be imported",
            affected="this row only; nothing was measured under the wrong version",
            fix=f"pip uninstall {' '.join(there)}, and install the one that is wanted anew (docs/install.md)",
        )


def _choose_folder(library: Library, asked: str) -> Path | None:
    """Folder of another version to import from; None where the installed version is the one asked for."""
    here = installed_version(library)
    package = library.distributions[0]
    if here is None and asked in (INSTALLED, NOT_INSTALLED):
        raise LibraryError(
            asked=f"use {package}",
            happened="it is not installed in this environment",
            affected="this row only",
            fix="make setup (or pip install -r requirements/cpu.txt), or drop the row from params.yaml",
        )
    if asked == INSTALLED or (here is not None and public_version(here) == public_version(asked)):
        _refuse_rivals(library)
        return None
    folder = folder_of(library, asked)
    if not folder.joinpath(*library.module.split(".")).exists():
        raise LibraryError(
            asked=f"use {package} {asked}",
            happened=f"this environment holds {here or 'none'}, and {folder.name} is not among its libraries/",
            affected="this row only",
            fix=f"make library PACKAGE={package} VERSION={asked}, or set the row's version to "
            f"{here or 'one that is installed'} in params.yaml",
        )
    return folder


def import_library(library: Library, asked: str) -> ModuleType:
    """Import the library in the version a row asks for.

    Args:
        library: what to import.
        asked: a version, or 'installed'.

    Raises:
        LibraryError: it is not there in that version, or another version is already imported in this process.
    """
    folder = _choose_folder(library, asked)
    expected = asked if folder is not None else installed_version(library) or asked
    if folder is not None and library.module not in sys.modules:
        # In front, so that the library's own helpers (bindings, shared objects) come from the same folder.
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
    try:
        module = importlib.import_module(library.module)
    except (ImportError, OSError) as error:  # a present library whose own shared objects are missing
        raise LibraryError(
            asked=f"import {library.module} {asked}",
            happened=f"{type(error).__name__}: {error}",
            affected="this row only",
            fix=f"reinstall {library.distributions[0]}; docs/install.md lists what each platform needs",
        ) from error
    loaded = loaded_version(library, module)
    if public_version(loaded) != public_version(expected):
        raise LibraryError(
            asked=f"use {library.module} {expected}",
            happened=f"version {loaded} is already loaded in this process",
            affected="this row only; nothing was measured under the wrong version",
            fix="run each version in a process of its own, as the rules do",
        )
    return module
