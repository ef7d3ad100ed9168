import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny_study import TinyStudy, make


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory: pytest.TempPathFactory) -> TinyStudy:
    """The artifacts of a tiny study, made once for all tests; `copy_of` gives one that may be altered."""
    return make(tmp_path_factory.mktemp("tiny_study"))


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Copies an artifact's folder into the test's own."""
    return lambda folder: Path(shutil.copytree(folder, tmp_path / folder.name))
