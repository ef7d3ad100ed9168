from dataclasses import replace

from temper.report.choices import choices
from temper.report.decide.decided import UNDECIDED, Decision


def decision(**own):
    return Decision("tiny", "base", 0.5, {"b1": replace(UNDECIDED, **{"chosen": "fast", "latency_ratio": 0.4} | own)})


def test_a_sentence_of_the_decision_is_taken_as_it_is():
    assert choices(decision(sentence="b1: fast, because")) == ["b1: fast, because"]


def test_a_decision_of_before_gets_one_with_the_speed_up():
    assert choices(decision()) == ["b1: fast, 2.50 × as fast as base"]
    assert choices(decision(not_told_apart=("a", "b"))) == [
        "b1: fast, 2.50 × as fast as base; not told apart from it: a, b"
    ]
    assert choices(decision(chosen=None, latency_ratio=None)) == [
        "b1: no choice: none is within the accuracy budget and measured"
    ]
