"""Checkpoints and data as a user has them, and a checkout to make a study in."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from temper.errors import PipelineError
from temper.orchestration.pipeline import FORM
from temper.studies.new import Made, make_study
from temper.studies.new_data import Given
from temper.studies.questions import Questions
from temper.study.resolve import load_resolved
from tests.user_checkpoint import save_checkpoint, save_rows

ROOT = Path(__file__).resolve().parents[3]
NONE = Given(None, None, None, None)


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("user") / "my-model")


@pytest.fixture
def checkpoint(saved: Path, tmp_path: Path) -> Path:
    """The checkpoint's folder, to be spoiled."""
    return Path(shutil.copytree(saved, tmp_path / "my-model"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Sixty rows; labels in another spelling than the checkpoint's."""
    return save_rows(tmp_path / "reviews.tsv")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "studies").mkdir(parents=True)
    (folder / FORM).parent.mkdir(parents=True)
    for name in ("params.yaml", FORM):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture
def new(checkout: Path) -> Callable[..., Made]:
    """Makes a study by flags; whatever is asked is answered with the suggestion."""

    def make(*, lists: Given = NONE, **flags: Any) -> Made:
        given = {name: None if value is None else str(value) for name, value in flags.items()}
        return make_study(checkout, Questions(given, suggested_without_asking=True, ask=nobody), lists)

    return make


def nobody(question: str) -> str:
    raise EOFError


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def left(checkout: Path) -> list[str]:
    """What lies below studies/, hidden things too."""
    return sorted(path.name for path in (checkout / "studies").iterdir())


def params(checkout, name="mine"):
    """A study that was made, with every value."""
    return load_resolved(checkout / f"studies/{name}/params.yaml")


def refused(checkout, call, **flags):
    """The error of a command that has to fail and to leave nothing."""
    with pytest.raises(PipelineError) as caught:
        call(**flags)
    assert left(checkout) == []
    return caught.value
