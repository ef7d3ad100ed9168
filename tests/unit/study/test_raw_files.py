from pathlib import Path

import pytest

from temper.errors import ConfigError
from temper.study.raw_files import checkpoint_files, data_files
from temper.study.sections.model import model_options
from tests.tiny_study import DATA, MODEL

FILES = {
    "source": "files",
    "validation_rows": 1,
    "calibration_rows": 1,
    "max_tokens": 8,
    "format": "tsv",
    "quoting": False,
    "train": {"path": "raw/train.tsv", "columns": None},
    "validation": None,
    "test": {"path": "raw/test.tsv", "columns": None},
    "text": ["sentence"],
    "label": "label",
    "label_names": ["no", "yes"],
}


@pytest.fixture(autouse=True)
def study_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raw/model/deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


def test_the_data_files_that_exist_are_watched():
    Path("raw/train.tsv").touch()
    assert data_files(FILES) == ["raw/train.tsv"]
    Path("raw/test.tsv").touch()
    assert sorted(data_files(FILES)) == ["raw/test.tsv", "raw/train.tsv"]


def test_a_source_without_files_has_none():
    assert data_files(DATA) == []


def test_the_files_of_a_checkpoint_folder_are_watched_and_those_of_the_hub_are_not():
    for name in ("model.safetensors", "config.json"):
        Path("raw/model", name).touch()
    model = {"task": "text-classification", "source": "checkpoint", "checkpoint": "raw/model", "revision": None}
    assert checkpoint_files(model_options(model)) == ["raw/model/config.json", "raw/model/model.safetensors"]
    assert checkpoint_files(model_options({**model, "checkpoint": "owner/name"})) == []
    assert checkpoint_files(model_options(MODEL)) == []


@pytest.mark.parametrize("name", ["raw/{x}.tsv", "raw/a\nb.tsv"])
def test_a_name_that_snakemake_would_take_for_a_pattern_is_refused(name):
    Path(name).touch()
    with pytest.raises(ConfigError, match="has a brace or a line's end in its name"):
        data_files({**FILES, "train": {"path": name, "columns": None}})


@pytest.mark.parametrize("name", ["raw/a b (1).tsv", "raw/[new] it's.tsv", "raw/50% & $HOME; `x`.tsv"])
def test_any_other_name_is_a_name(name):
    Path(name).touch()
    assert data_files({**FILES, "train": {"path": name, "columns": None}}) == [name]
