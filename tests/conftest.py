"""What every test starts from."""

import fcntl
import gc
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from temper.measurement.machine_lock import FOLDER
from tests.warm_python import warm_python

# A shell starts background commands with Ctrl-C ignored, and children inherit that: the tests of Ctrl-C need it as it is
# in a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The workflow's files take longest: they are handed out first, and these before the others. The first two start at the
# same time: while one has the tiny studies made, the other plans those of studies/, which needs none.
LONGEST = (
    *("test_exactness", "test_dvc", "test_remotes", "test_silent_cases", "test_lose_nothing", "test_experiments"),
    *("test_bad_input", "test_faults", "test_how_to", "test_fast_path"),
)
LONGEST_UNITS = ("test_measure", "test_aware", "test_pytorch", "test_ratio")
SHARED = "made-once"


def pytest_collection_modifyitems(items):
    """Hand out the longest files first: last, they would run alone."""

    def place(item):
        name, listed = item.path.stem, LONGEST if "workflow" in item.path.parts else LONGEST_UNITS
        return listed is LONGEST_UNITS, listed.index(name) if name in listed else len(listed)

    items.sort(key=place)  # stable: the order within a file stays


def pytest_sessionstart(session):
    """Each worker measures as if the machine were its own: else all of them would wait for one lock."""
    os.environ[FOLDER] = str(session.config._tmp_path_factory.getbasetemp())


def pytest_sessionfinish(session):
    """Remove what the workers shared, once all of them have ended."""
    if not hasattr(session.config, "workerinput"):
        shutil.rmtree(session.config._tmp_path_factory.getbasetemp() / SHARED, ignore_errors=True)


@pytest.fixture(autouse=True)
def _stays_in_its_folder() -> Iterator[None]:
    """A command called in this process goes into its study's folder; the next test starts where this one did."""
    before = os.getcwd()
    yield
    os.chdir(before)


@pytest.fixture(autouse=True)
def _collects_garbage_as_before() -> Iterator[None]:
    """A test that leaves collection off makes another one of its worker fail, sometimes."""
    yield
    left_off = not gc.isenabled()
    gc.enable()
    assert not left_off, "this test leaves garbage collection off"


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """`made_once(name, make)`: a folder that one worker fills by `make(folder)`; the others wait for it. Read it only."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / SHARED

    def folder_of(name: str, make: Callable[[Path], None]) -> Path:
        folder, complete = shared / name, shared / f"{name}.complete"
        shared.mkdir(exist_ok=True)
        with open(shared / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not complete.exists():
                shutil.rmtree(folder, ignore_errors=True)  # another worker failed at it
                folder.mkdir()
                make(folder)
                complete.touch()
        return folder

    return folder_of


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that the code under test starts begin with their libraries imported (tests/warm_python.py)."""
    monkeypatch.setattr("sys.executable", warm_python().python)
