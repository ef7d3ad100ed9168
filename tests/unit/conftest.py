import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny_study import TinyStudy, folders, make


@pytest.fixture
def made_up_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records whose figures do not follow from the latencies beside them are read as they stand."""
    for reader in ("measurement.record_file", "report.filed", "comparison.experiments"):
        monkeypatch.setattr(f"temper.{reader}.disagreement", lambda record: None)


@pytest.fixture(scope="session")
def tiny_study(made_once: Callable[[str, Callable[[Path], None]], Path]) -> TinyStudy:
    """The artifacts of a tiny study, made once for all tests of all workers; `copy_of` gives one that may be altered."""
    return folders(made_once("tiny_study", make))


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Copies an artifact's folder into the test's own."""
    return lambda folder: Path(shutil.copytree(folder, tmp_path / folder.name))
