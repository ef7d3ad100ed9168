"""Versions of a made-up library in folders; each import in a process of its own, as the rules do."""

import subprocess
import sys

import pytest

from temper.environment import library
from temper.environment.library import Library, import_library, installed_version, loaded_version, resolve_version
from temper.errors import LibraryError

MADE_UP = Library("made_up", ("made-up-cu13", "made-up"), "Made Up")


def install(folder, version, distribution="made-up-cu13", word=None):
    """What `pip install --target` leaves: a module that imports its own helper, and the distribution's metadata."""
    name = distribution.replace("-", "_")
    for module, text in {
        "made_up": f"from made_up_bindings import number\n__version__ = {word or version!r}\n",
        "made_up_bindings": f"number = {version!r}\n",
    }.items():
        (folder / module).mkdir(parents=True)
        (folder / module / "__init__.py").write_text(text)
    (folder / f"{name}-{version}.dist-info").mkdir()
    (folder / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {distribution}\nVersion: {version}\n")
    return folder


@pytest.fixture
def places(tmp_path):
    """Version 1.6 in the environment, version 1.5 under libraries/."""
    install(tmp_path / "environment", "1.6")
    install(tmp_path / "libraries" / "made-up-cu13-1.5", "1.5")
    return tmp_path


def run(places, code):
    """Run code in a fresh process with `places` as environment and libraries folder; its output, or its error."""
    program = f"""
import sys
from pathlib import Path
from temper.environment import library
from temper.errors import LibraryError
library.LIBRARIES_FOLDER = Path({str(places / "libraries")!r})
sys.path.insert(0, {str(places / "environment")!r})
made_up = library.Library("made_up", ("made-up-cu13", "made-up"), "Made Up")
try:
    {code}
except LibraryError as error:
    print("LibraryError:", error.happened)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(("asked", "got"), [("installed", "1.6"), ("1.6", "1.6"), ("1.5", "1.5")])
def test_the_version_asked_for_is_imported_with_its_own_helpers(places, asked, got):
    code = f"module = library.import_library(made_up, {asked!r}); print(module.__version__, module.number)"
    assert run(places, code) == f"{got} {got}"


def test_the_folder_of_another_version_does_not_change_what_is_installed(places):
    code = "library.import_library(made_up, '1.5'); print(library.installed_version(made_up))"
    assert run(places, code) == "1.6"


@pytest.mark.parametrize(("first", "second"), [("1.6", "1.5"), ("1.5", "1.6"), ("1.5", "installed")])
def test_a_second_version_in_one_process_is_an_error(places, first, second):
    code = f"library.import_library(made_up, {first!r}); library.import_library(made_up, {second!r})"
    assert run(places, code) == f"LibraryError: version {first} is already loaded in this process"


@pytest.mark.parametrize(("other", "refused"), [("1.5", True), ("1.6", False)])
def test_two_distributions_of_one_module_in_two_versions_are_refused(places, other, refused):
    info = places / "environment" / f"made_up-{other}.dist-info"  # what an installation over the other leaves behind
    info.mkdir()
    (info / "METADATA").write_text(f"Name: made-up\nVersion: {other}\n")
    said = run(places, "print(library.import_library(made_up, 'installed').__version__)")
    assert said.startswith("LibraryError: made-up-cu13 1.6 and made-up 1.5 are both installed") == refused
    assert refused or said == "1.6"


def test_the_same_version_twice_is_the_same_module(places):
    code = "print(library.import_library(made_up, '1.5') is library.import_library(made_up, '1.5'))"
    assert run(places, code) == "True"


def test_a_module_whose_own_word_is_no_version_is_known_by_its_distribution(places):
    install(places / "libraries" / "made-up-cu13-1.4", "1.4", word="1.4-22000-branch")
    code = "print(library.loaded_version(made_up, library.import_library(made_up, '1.4')))"
    assert run(places, code) == "1.4"


def test_a_library_that_cannot_load_its_shared_objects_is_a_library_error(places):
    (places / "environment" / "made_up_bindings" / "__init__.py").write_text("raise OSError('libmade_up.so: missing')")
    assert "libmade_up.so: missing" in run(places, "library.import_library(made_up, 'installed')")


def test_an_absent_version_says_how_to_get_it():
    with pytest.raises(LibraryError) as caught:
        import_library(MADE_UP, "9.9")
    assert caught.value.fix.startswith("make library PACKAGE=made-up-cu13 VERSION=9.9")


def test_an_absent_library_says_that_it_is_not_installed():
    with pytest.raises(LibraryError, match="not installed"):
        import_library(MADE_UP, "installed")


def test_any_of_its_distributions_provides_a_library(tmp_path):
    install(tmp_path, "2.0", distribution="made-up")
    assert installed_version(MADE_UP, [str(tmp_path)]) == "2.0"
    assert installed_version(MADE_UP, [str(tmp_path / "nowhere")]) is None


@pytest.mark.parametrize("folder", sorted(library.LIBRARIES_FOLDER.glob("tensorrt-rtx-cu13-*")), ids=lambda at: at.name)
def test_another_tensorrt_rtx_that_is_really_there_loads_no_file_of_the_installed_one(folder):
    """Runs only after `make library`: shared objects too must come from the folder."""
    version, place = folder.name.removeprefix("tensorrt-rtx-cu13-"), str(folder.resolve())
    program = f"""
from temper.engines.tensorrt_rtx import LIBRARY
from temper.environment.library import import_library, loaded_version
module = import_library(LIBRARY, {version!r})
mapped = {{line.split()[-1] for line in open("/proc/self/maps") if "tensorrt" in line}}
print(loaded_version(LIBRARY, module), module.__version__, {{path.startswith({place!r}) for path in mapped}})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{version} {version} {{True}}"


def test_planning_resolves_versions_without_importing():
    assert resolve_version(None, "installed") == "none"
    assert resolve_version(MADE_UP, "1.5") == "1.5"
    assert resolve_version(MADE_UP, "installed") == "not installed"
    numpy = Library("numpy", ("numpy",), "NumPy")
    assert resolve_version(numpy, "installed") == loaded_version(numpy, import_library(numpy, "installed"))


def test_a_local_part_does_not_make_another_version():
    assert library.public_version("2.13.0+cpu") == "2.13.0"


@pytest.mark.parametrize(
    "asked", ["1.0/../../evil", "../evil", "/evil", "", "1.5\n", "1.5 ", "1..5", "a1", "1.5/", "."]
)
def test_what_is_no_version_is_no_folder_to_import_from(places, asked):
    (places / "evil").mkdir()
    install(places / "evil/x", "6.6.6")
    assert run(places, f"library.import_library(made_up, {asked!r})") == "LibraryError: that is no version"


@pytest.mark.parametrize(
    "version", ["1.31.1", "10.13.0.35.1", "2.13.0+cpu", "1.0rc1", "2026.1.0-20114", "4.0.0.dev20261130"]
)
def test_versions_as_makers_write_them_are_versions(version):
    assert library.folder_of(MADE_UP, version).name == f"made-up-cu13-{version}"
