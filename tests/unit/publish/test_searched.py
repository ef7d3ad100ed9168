"""The table of searches: what was decided, what was only raced, and the columns that nothing is known of."""

import json

import pytest

from temper.errors import ArtifactError
from temper.publish.searched import searched_table

TRIALS = {
    "baseline": {"fate": "overtaken", "speed": 1.0},
    "quick": {"fate": "ahead", "speed": 4.07},
    "slow": {"fate": "slower", "speed": 0.5},
    "late": {"fate": "open", "speed": None},
}


def row(p50_ms, mean_ms, *, ratio=None, real_lengths=None):
    """One workload's figures in a summary."""
    return {
        **{"latency_p50_ms": p50_ms, "latency_mean_ms": mean_ms, "real_lengths": real_lengths},
        **{"latency_ratio": ratio, "latency_ratio_low": 0.24, "latency_ratio_high": 0.26},
        "sequential_samples_per_s": 1234.5,
    }


@pytest.fixture
def filed(tmp_path):
    """A folder with two searches: one that was decided, one whose winner was not measured."""

    def write(name, content):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")

    write("raced.json", {"workload": "b1", "trials": TRIALS})
    seconds = {"making": 60.1, "racing": 90.4, "measuring": 30.0}
    write("decided.json", {"workload": "b8-arrival", "trials": TRIALS, "minutes": 2.5, "seconds": seconds})
    candidates = {
        "base": {"workloads": {"b8-arrival": row(3.0, 4.0, ratio=1.0, real_lengths="arrival")}},
        "fastest": {
            "workloads": {"b8-arrival": row(0.8, 1.0, ratio=0.25, real_lengths="arrival")},
            **{"accuracy_difference_points": -0.22, "accuracy_low_points": -0.7, "accuracy_high_points": 0.26},
            "labels_differing": 38,
        },
    }
    write("decided.summary.json", {"baseline": "base", "candidates": candidates})
    return tmp_path


def cells(table):
    """Lines of a Markdown table as lists, its rule left out."""
    lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines()]
    return [lines[0], *lines[2:]]


def test_a_search_has_a_line_with_what_the_test_rows_said_and_real_lengths_their_mean(filed):
    header, decided = cells(searched_table(filed, ["decided"]))
    assert dict(zip(header, decided, strict=True)) == {
        **{"workload": "b8-arrival", "winner": "quick", "minutes": "2.5", "open": "1 of 4", "raced, ×": "4.07"},
        **{"test rows, ×": "4.00 [3.85, 4.17]", "ms (baseline)": "1.00 (4.00)", "samples/s": "1,234"},
        "points (flips)": "−0.22 [−0.70, +0.26] (38)",
    }


def test_what_was_only_raced_has_no_figure_of_the_test_rows(filed):
    header, decided, raced = cells(searched_table(filed, ["decided", "raced"]))
    found = dict(zip(header, raced, strict=True))
    assert found["raced, ×"] == "4.07"
    assert {
        found[column] for column in ("test rows, ×", "ms (baseline)", "samples/s", "points (flips)", "minutes")
    } == {"–"}
    assert decided[1] == "quick"


def test_a_column_of_which_nothing_is_known_is_left_out(filed):
    assert cells(searched_table(filed, ["raced"]))[0] == ["workload", "winner", "open", "raced, ×"]


def test_a_search_that_is_not_filed_is_named(filed):
    with pytest.raises(ArtifactError, match=r"absent\.json does not exist"):
        searched_table(filed, ["absent"])
