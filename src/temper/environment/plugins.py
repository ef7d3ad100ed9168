"""Modules chosen by name in params.yaml: a data source, training method, calibration method, precision, engine library
or backend.

The name is the file's name; there is no registry to edit. A file is a choice when it defines its folder's function.
"""

import importlib
import re
from pathlib import Path
from types import ModuleType

CHANGES_NO_RESULT = "it finds the files that params.yaml names; each is in the digest for itself"
FUNCTION = {
    "data": "load",
    "training": "train",
    "calibration": "collect",
    "precisions": "convert",
    "engines": "build",
    "backends": "open_runner",
}


def names(folder: str) -> list[str]:
    """The names that params.yaml may use for this folder, sorted. Reads the files; imports none."""
    defines = re.compile(rf"^def {FUNCTION[folder]}\(", re.MULTILINE)
    files = sorted((Path(__file__).parent / folder).glob("*.py"))
    return [file.stem for file in files if defines.search(file.read_text(encoding="utf-8"))]


def module_name(folder: str, name: str) -> str:
    """Dotted name of the module behind a choice."""
    return f"temper.{folder}.{name}"


def load(folder: str, name: str) -> ModuleType:
    """Import the module behind a choice; it imports its library only when it is used."""
    return importlib.import_module(module_name(folder, name))
