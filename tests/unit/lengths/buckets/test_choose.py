"""Limits of the tiny study's own rows."""

import shutil

import numpy as np
import pytest

from temper.artifacts.manifest import sha256
from temper.data.encoded import read_split, row_lengths
from temper.errors import ArtifactError
from temper.lengths.buckets.choose import choose_buckets
from temper.lengths.buckets.record import read_buckets
from tests.tiny_study import MAX_TOKENS
from tests.unit.study.sections.test_buckets import ROW


@pytest.fixture
def made(tiny_study, tmp_path):
    """Chooses, and gives the path of what was written."""

    def made(data_folder=tiny_study.data, **changes):
        file = tmp_path / "buckets/main.json"
        choose_buckets(data_folder=data_folder, file=file, row={**ROW, **changes})
        return file

    return made


def lengths_of(tiny_study, split):
    return row_lengths(read_split(tiny_study.data / f"{split}.parquet", tiny_study.signature), tiny_study.signature)


@pytest.mark.parametrize("split", ["train", "validation", "calibration"])
def test_what_is_written_follows_from_the_lengths_of_the_split(tiny_study, made, split):
    lengths, found = lengths_of(tiny_study, split), read_buckets(made(split=split, profiles=3, multiple_of=4))
    assert found["row"] == {**ROW, "split": split, "profiles": 3, "multiple_of": 4}
    assert (found["rows"], found["tokens"], found["longest_row"]) == (len(lengths), lengths.sum(), lengths.max())
    assert found["max_tokens"] == MAX_TOKENS
    assert [budget["profiles"] for budget in found["budgets"]] == [1, 2, 3]
    for budget in found["budgets"]:
        limits = np.array(budget["limits"])
        padded = limits[np.searchsorted(limits, lengths)]
        assert budget["computed_tokens"] == padded.sum()
        assert budget["padding_share"] == pytest.approx(1 - lengths.sum() / padded.sum())
        assert budget["relative_cost"] == pytest.approx(padded.sum() / lengths.sum())
        assert budget["rows_per_limit"] == [(padded == limit).sum() for limit in limits]
        assert all(limit % 4 == 0 for limit in limits)
    assert found["budgets"][0]["limits"] == [MAX_TOKENS]
    assert found["limits"] == found["budgets"][-1]["limits"]
    every = -(-lengths // 4) * 4
    assert found["every_length"]["limits"] == sorted({*every.tolist(), MAX_TOKENS})
    assert found["every_length"]["computed_tokens"] == every.sum()
    assert found["made_from"].keys() == {f"{split}.parquet", "signature.json"}


def test_a_cost_with_attention_counts_operations(tiny_study, made):
    lengths, found = lengths_of(tiny_study, "train"), read_buckets(made(cost={"hidden_size": 2}))
    limits = np.array(found["limits"])
    padded = limits[np.searchsorted(limits, lengths)]
    ratio = (padded * (12 + padded)).sum() / (lengths * (12 + lengths)).sum()
    assert found["budgets"][-1]["relative_cost"] == pytest.approx(ratio)


def test_equal_rows_give_equal_bytes_and_another_row_stays(made):
    file = made()
    first = sha256(file)
    (file.parent / "other.json").write_text("{}")
    assert sha256(made()) == first
    assert (file.parent / "other.json").read_text() == "{}"
    assert sorted(path.name for path in file.parent.iterdir()) == ["main.json", "other.json"]


def test_the_test_split_is_not_even_read(tiny_study, made, copy_of):
    folder = copy_of(tiny_study.data)
    (folder / "test.parquet").unlink()
    assert read_buckets(made(folder))["limits"] == read_buckets(made())["limits"]


def test_another_split_in_its_place_is_refused(tiny_study, made, copy_of):
    folder = copy_of(tiny_study.data)
    shutil.copyfile(folder / "test.parquet", folder / "train.parquet")
    with pytest.raises(ArtifactError, match=r"train\.parquet .* is not the file its maker recorded"):
        made(folder)
