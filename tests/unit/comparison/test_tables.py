"""What a person reads of a comparison, at 120 columns."""

import dataclasses
import io

import pytest
from rich.console import Console

from temper.comparison.compare import terminal_table
from temper.comparison.rows import rows
from temper.comparison.tables import (
    accuracy_table,
    comparison_of,
    latency_table,
    markdown,
    pairs_table,
    remarks,
    short_names,
    signed,
)
from tests.unit.comparison.experiments import ALMOST, FEW, MANY, experiment, wrong

FOUND = comparison_of(rows([FEW, MANY, ALMOST]), 0.05)


def test_rows_stand_in_the_order_of_what_is_shown_and_share_letters_where_nothing_is():
    header, lines = accuracy_table(FOUND)
    assert header == [
        "experiment",
        "samples",
        "candidate",
        "accuracy %",
        "− baseline's, points",
        "flips",
        "better : worse",
    ]
    assert [line[:4] + line[5:] for line in lines] == [
        ["many", "64", "int8", "98.50 a", "3", "1 : 0"],
        ["almost", "32", "int8", "98.00 a", "4", "1 : 0"],
        ["few", "8", "int8", "85.00 b", "30", "0 : 2"],
    ]
    assert lines[2][4].startswith("−15.00 [−20.6")


def test_latencies_have_letters_of_their_own():
    header, lines = latency_table(FOUND)
    assert header[-1] == "b1 ×"
    assert [line[-1] for line in lines] == ["0.800 ±1 % a", "0.510 ±6 % b", "0.500 ±2 % b"]


@pytest.mark.parametrize(("holds", "mark"), [(False, "!"), (None, "?")])
def test_a_ratio_that_is_not_compared_is_marked_and_said(holds, mark):
    found = comparison_of(rows([FEW, MANY, experiment("unsure", wrong(9), samples=2, holds=holds)]), 0.05)
    assert [line[-1][-1] for line in latency_table(found)[1] if line[0] == "unsure"] == [mark]
    (said,) = [line for line in remarks(found) if line.startswith(mark)]
    assert "not compared" in said


def test_pairs_name_the_better_one_first_and_the_surest_come_first():
    header, lines = pairs_table(FOUND)
    assert header[-1] == "accuracy"
    assert lines[0][0] == "many − few"
    assert lines[0][3:] == ["27 : 0", "< 0.001", "better"]
    assert lines[0][1].startswith("+13.50 [+9.4")
    assert lines[-1][0] == "many − almost"
    assert lines[-1][-2:] == ["1.000", "not told apart"]
    assert len(pairs_table(FOUND, 1)[1]) == 1


def test_the_notes_claim_no_more_than_the_test_and_never_that_equal_verdicts_are_equal_accuracies():
    first, second, *_ = remarks(FOUND)
    assert first.startswith(
        "2 of 3 pairs differ in accuracy (exact McNemar test on the same 200 rows; Holm's correction"
    )
    assert "does not prove them equal" in second
    assert "verdict" not in " ".join(remarks(FOUND))


def test_every_row_of_a_usual_comparison_fits_one_line():
    width, names = 120, [f"main-percentile-{count}" for count in (32, 128, 512)]
    methods = ["percentile", "entropy", "moving_average"]
    found = comparison_of(
        rows(
            [experiment(name, wrong(*range(n)), samples=32 * 4**n, method=methods[n]) for n, name in enumerate(names)]
        ),
        0.05,
    )
    for header, lines in (accuracy_table(found), latency_table(found), pairs_table(found)):
        console = Console(file=io.StringIO(), width=width, color_system=None)
        console.print(terminal_table("Experiments", header, lines))
        shown = console.file.getvalue().splitlines()
        assert max(map(len, shown)) <= width
        assert len([line for line in shown if line.strip()]) == 3 + len(lines)  # the title, the header and its rule


def test_one_state_of_a_study_shows_candidates_and_no_experiments():
    found = comparison_of(rows([FEW]), 0.05)
    assert accuracy_table(found)[0][0] == "candidate"
    assert pairs_table(found)[1][0][0] == "base − int8"


def test_rows_of_other_test_rows_come_last_without_a_letter():
    import numpy as np

    one, two, three = rows([FEW, MANY, ALMOST])
    found = comparison_of([dataclasses.replace(one, labels=np.zeros(200, dtype=np.int64)), two, three], 0.05)
    assert found.rows[-1].name == "few"
    assert accuracy_table(found)[1][-1][3] == "85.00"
    assert "few int8: answered other test rows, its accuracy is not compared." in remarks(found)


def test_settings_that_are_too_many_for_columns_share_one_and_what_a_row_does_not_set_is_left_out():
    changed = {"a.samples": 8, "a.method": "nncf", "a.preset": "mixed", "a.bins": "absent"}
    one, two = rows([FEW, ALMOST])
    few = dataclasses.replace(one, changed={one.name: changed})
    almost = dataclasses.replace(two, changed={two.name: {**changed, "a.preset": "absent", "a.bins": 2048}})
    header, lines = accuracy_table(comparison_of([few, almost], 0.05))
    assert header[:3] == ["experiment", "settings", "candidate"]
    assert {line[1] for line in lines} == {"samples 8, method nncf, preset mixed", "samples 8, method nncf, bins 2048"}


def test_the_page_has_every_pair():
    page = markdown("Experiments", FOUND, ["a note"])
    assert page.startswith("# Experiments\n\n| experiment | samples |")
    assert page.count("not told apart |") == 1
    assert page.endswith("- a note\n")
    assert "almost − few" in page
    assert "almost − few" not in markdown("Experiments", FOUND, [], 1)


def test_signs_and_short_names():
    assert [signed(value) for value in (0.004, -0.004, 1.5, -1.5)] == ["0.00", "0.00", "+1.50", "−1.50"]
    assert short_names(["a.b.samples", "a.method", "c.method"]) == {
        "a.b.samples": "samples",
        "a.method": "a.method",
        "c.method": "c.method",
    }
