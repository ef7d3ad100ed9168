import math

import pytest

from temper.optimize.points import Point
from temper.optimize.record import append
from temper.optimize.taken import BASELINE, Taken, why_wrong


@pytest.fixture
def taken(tmp_path):
    found = Taken(tmp_path / "record.jsonl", "today")
    for name, answers in ((BASELINE, "base"), ("one", "file"), ("one-2-threads", "file"), ("other", "other")):
        found.points[name] = Point(name, "onnx/fp32", {"runner": "null"}, answers)
        found.identity[name] = f"id of {name}"
    return found


def turns(taken, challenger, incumbent, own, other, **more):
    ids = {"challenger": f"id of {challenger}", "incumbent": f"id of {incumbent}"}
    taken.add("turns", **ids, challenger_ms=own, incumbent_ms=other, **more)


def test_turns_of_other_conditions_and_of_points_that_are_others_today_count_for_nothing(taken):
    turns(taken, "one", BASELINE, [1.0, 2.0], [2.0, 2.0])
    pair = {"challenger": "id of one", "incumbent": "id of baseline"}
    Taken(taken.record, "yesterday").add("turns", **pair, challenger_ms=[5.0], incumbent_ms=[1.0])
    turns(taken, "one of another version", BASELINE, [9.0], [1.0])
    (found,) = taken.turns()
    assert (found.challenger, found.incumbent) == ("one", BASELINE)
    assert found.log_ratios == pytest.approx((-math.log(2), 0.0))
    assert taken.values(BASELINE, "one") == pytest.approx([math.log(2), 0.0])
    assert taken.medians_ms() == {"one": 1.0, BASELINE: 2.0}


def test_speeds_go_by_way_of_the_incumbents(taken):
    turns(taken, "one", BASELINE, [1.0, 1.0], [2.0, 2.0])
    turns(taken, "other", "one", [3.0, 3.0], [6.0, 6.0])  # the machine was slower by then
    beside = {"one": (BASELINE, -math.log(2)), "other": ("one", -math.log(2))}
    assert taken.speeds([BASELINE], beside) == pytest.approx({BASELINE: 1.0, "one": 2.0, "other": 4.0})


def test_an_incumbent_is_above_the_one_it_overtook_whatever_older_turns_say(taken):
    turns(taken, "one", BASELINE, [1.0], [8.0])
    turns(taken, "other", BASELINE, [1.0], [7.0])  # by another way than through the one it overtook
    turns(taken, "other", "one", [0.8], [1.0])
    beside = {BASELINE: ("one", math.log(8)), "one": ("other", math.log(1.25)), "other": ("one", math.log(0.8))}
    found = taken.speeds([BASELINE, "one", "other"], beside)
    assert found == pytest.approx({BASELINE: 1.0, "one": 8.0, "other": 10.0})


def test_of_one_that_had_no_turn_no_speed_is_known(taken):
    assert taken.speeds([BASELINE], {"one": ("out", 0.5)}) == {BASELINE: 1.0}


def test_points_that_share_the_processor_otherwise_answer_for_each_other_and_a_budget_decides_without_asking(taken):
    counted = {"rows": 500, "gained": 1, "lost": 4, "differing": 6}
    taken.add("answers", point="id of one", reference="id of baseline", **counted)
    taken.add("answers", point="id of other", reference="id of another baseline", **counted)
    assert taken.verdicts(0.7) == {"one": None, "one-2-threads": None, BASELINE: None}
    assert "0.60 points lost on 500 validation rows" in taken.verdicts(0.5)["one-2-threads"]


def test_what_gives_no_answers_is_wrong_with_its_reason():
    assert why_wrong({"reason": "NaN"}, 0.5) == "NaN"


def test_who_was_loaded_last_and_who_failed_are_known_by_name(taken):
    assert taken.opened_last() is None
    assert taken.reference() is None
    taken.add("opens", point="id of one")
    taken.add("failed", point="id of one", reason="no such kernel")
    taken.add("reference", point="id of baseline", labels=[1, 0])
    assert (taken.opened_last(), taken.failed(), taken.reference()) == ("one", {"one": "no such kernel"}, [1, 0])


@pytest.mark.parametrize(
    "line",
    [
        {"kind": "turns", "challenger": "id of one", "incumbent": "id of baseline"},
        {
            "kind": "turns",
            "challenger": "id of one",
            "incumbent": "id of baseline",
            "challenger_ms": [1],
            "incumbent_ms": [],
        },
        {
            "kind": "turns",
            "challenger": "id of one",
            "incumbent": "id of baseline",
            "challenger_ms": [0],
            "incumbent_ms": [1],
        },
        {
            "kind": "turns",
            "challenger": ["id of one"],
            "incumbent": "id of baseline",
            "challenger_ms": [1],
            "incumbent_ms": [1],
        },
        {"kind": "answers", "point": "id of one", "reference": "id of baseline", "rows": 0, "gained": 0, "lost": 0},
        {"kind": "failed", "point": "id of one"},
        {"kind": "reference", "point": "id of baseline", "labels": "0"},
    ],
)
def test_a_line_that_a_hand_has_changed_counts_for_nothing(taken, line):
    append(taken.record, {**line, "conditions": "today"})
    assert (taken.turns(), taken.answers(), taken.failed(), taken.reference()) == ([], {}, {}, None)
    assert taken.medians_ms() == {}
