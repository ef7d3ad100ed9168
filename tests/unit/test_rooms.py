"""The rooms of src/temper: nothing lies loose, arrows point down, no module imports itself by a detour."""

import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from temper.environment import source_digest
from temper.environment.machine import SOURCE_ROOT

# from below to above: a room imports from its own and from those before it. Some rooms have storeys: what is copied into a
# package stands on nothing of Temper's, how a file is written on nothing but errors, the columns that labels are read from
# below the data that asks a task to read them, rows of a file above these, what is read off a graph below what quantises it,
# and what checks a whole study above what it asks.
ROOMS = (
    ("errors", "reading", "package.runtime"),
    ("artifacts.manifest", "artifacts.scratch", "artifacts.inside"),
    ("environment",),
    ("artifacts",),
    ("tasks", "data.columns", "reading.rows_file"),
    ("statistics",),
    ("evaluation",),
    ("study",),
    ("logs",),
    ("data", "reading.rows_file"),
    ("training",),
    ("lengths",),
    ("export",),
    ("transforms.graph",),
    ("quantization",),
    ("transforms",),
    ("engines",),
    ("backends",),
    ("measurement",),
    ("load_test",),
    ("study.study", "study.engine_checks"),
    ("orchestration",),
    ("report",),
    ("prediction",),
    ("comparison",),
    ("optimize",),
    ("package",),
    ("publish",),
    ("studies",),
    ("api",),
    ("cli",),
)
STOREY = {name: number for number, names in enumerate(ROOMS) for name in names}


def name_of(file: Path) -> str:
    """Dotted name below temper of a module, of a room for its __init__.py."""
    parts = file.relative_to(SOURCE_ROOT / "temper").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports() -> dict[str, set[str]]:
    """Modules that each module imports, anywhere in it."""
    found = {}
    for file in (SOURCE_ROOT / "temper").rglob("*.py"):
        files = map(source_digest._module_file, source_digest._module(file).imports)
        found[name_of(file)] = {name_of(each) for each in files if each} - {"", name_of(file)}
    return found


def storey(name: str) -> int:
    parts = name.split(".")
    return next(STOREY[each] for end in range(len(parts), 0, -1) if (each := ".".join(parts[:end])) in STOREY)


def test_every_module_lies_in_a_room_and_every_room_has_its_storey():
    package = SOURCE_ROOT / "temper"
    assert {file.name for file in package.iterdir() if file.is_file()} == {"__init__.py", "errors.py", "py.typed"}
    rooms = {folder.name for folder in package.iterdir() if (folder / "__init__.py").is_file()}
    assert rooms == {name for name in STOREY if "." not in name} - {"errors"}


def test_the_tree_of_contributing_has_the_rooms_in_their_order():
    page = (SOURCE_ROOT.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawn = re.findall(r"^  ([a-z_]+)/ ", page, re.MULTILINE)
    assert drawn == [name for names in ROOMS for name in names if "." not in name and name != "errors"]


def test_arrows_point_down():
    upward = [
        f"{name} imports {other}"
        for name, others in imports().items()
        for other in others
        if name and storey(other) > storey(name)
    ]
    assert upward == []


def test_no_module_imports_itself_by_a_detour():
    # a room's __init__.py is run by all that lies in it, and imports nothing
    modules = {name: {other for other in others if other in imports()} for name, others in imports().items()}
    rooms = {name for name in modules if any(other.startswith(f"{name}.") for other in modules)}
    TopologicalSorter({name: others - rooms for name, others in modules.items()}).prepare()  # CycleError says which
