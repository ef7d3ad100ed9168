"""Rows of `buckets:` that planning refuses."""

import pytest
from pydantic import ValidationError

from temper.errors import ConfigError
from temper.study.sections.buckets import BucketsRow, check_buckets

ROW = {"batch_size": 4, "profiles": 2, "multiple_of": 8, "split": "train", "cost": "tokens"}


@pytest.mark.parametrize(
    "changes", [{}, {"split": "validation"}, {"split": "calibration"}, {"cost": {"hidden_size": 384}}]
)
def test_a_row_may_read_any_split_but_the_test_split(changes):
    check_buckets("buckets.a", BucketsRow.model_validate({**ROW, **changes}), 64)


def test_the_test_split_chooses_nothing():
    with pytest.raises(ValidationError, match="what serves the test rows may not be chosen by them"):
        BucketsRow.model_validate({**ROW, "split": "test"})


@pytest.mark.parametrize(
    "changes",
    [
        {"profiles": 0},
        {"batch_size": 0},
        {"multiple_of": 0},
        {"split": "dev"},
        {"cost": "time"},
        {"cost": {"hidden_size": 0}},
        {"cost": {}},
        {"colour": "blue"},
    ],
)
def test_a_wrong_value_is_refused(changes):
    with pytest.raises(ValidationError, match=next(iter(changes))):
        BucketsRow.model_validate({**ROW, **changes})


@pytest.mark.parametrize(
    ("multiple_of", "max_tokens", "happened"),
    [(8, None, "images have none"), (65, 64, "more than data.max_tokens (64)")],
    ids=["images", "a step too long"],
)
def test_lengths_are_those_of_the_data(multiple_of, max_tokens, happened):
    with pytest.raises(ConfigError) as caught:
        check_buckets("buckets.a", BucketsRow.model_validate({**ROW, "multiple_of": multiple_of}), max_tokens)
    assert happened in caught.value.happened
    assert caught.value.happened.startswith("buckets.a")


def test_a_step_as_long_as_the_longest_row_is_one_length():
    check_buckets("buckets.a", BucketsRow.model_validate({**ROW, "multiple_of": 64}), 64)
