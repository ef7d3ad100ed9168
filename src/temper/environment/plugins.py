"""Modules chosen by name in params.yaml: a data source, training method, calibration method, step of a conversion, engine
library, backend, kind of label, or how its answers are judged.

The name is the file's name; there is no registry to edit. A file is a choice when it defines its kind's function.
"""

import importlib
import re
from pathlib import Path
from types import ModuleType

CHANGES_NO_RESULT = "it finds the files that params.yaml names; each is in the digest for itself"
PACKAGE = Path(__file__).parents[1]
FUNCTION = {
    "data": "load",
    "training": "train",
    "calibration": "collect",
    "steps": "convert",
    "engines": "build",
    "backends": "open_runner",
    "tasks": "answers",
    "evaluation": "worth",
}
# of a kind whose files do not lie in the folder of its name: those where they lie, the usual place of a new one first.
# `through` has no names to list: its section's schema has them
FOLDERS = {
    "calibration": ("quantization/calibration",),
    "steps": ("transforms", "quantization"),
    "through": ("package/through",),
}


def _files(kind: str) -> dict[str, str]:
    """Folder of each file that is a choice, by the file's name; sorted."""
    defines = re.compile(rf"^def {FUNCTION[kind]}\(", re.MULTILINE)
    found = {
        file.stem: folder
        for folder in FOLDERS.get(kind, (kind,))
        for file in (PACKAGE / folder).glob("*.py")
        if defines.search(file.read_text(encoding="utf-8"))
    }
    return dict(sorted(found.items()))


def names(kind: str) -> list[str]:
    """The names that params.yaml may use for this kind, sorted. Reads the files; imports none."""
    return list(_files(kind))


def file_of(kind: str, name: str) -> str:
    """Path below src/temper of the file behind a choice, or of the one that would be it."""
    folders = FOLDERS.get(kind, (kind,))
    folder = next((each for each in folders if (PACKAGE / each / f"{name}.py").is_file()), folders[0])
    return f"{folder}/{name}.py"


def module_name(kind: str, name: str) -> str:
    """Dotted name of the module behind a choice."""
    return f"temper.{file_of(kind, name).removesuffix('.py').replace('/', '.')}"


def load(kind: str, name: str) -> ModuleType:
    """Import the module behind a choice; it imports its library only when it is used."""
    return importlib.import_module(module_name(kind, name))
