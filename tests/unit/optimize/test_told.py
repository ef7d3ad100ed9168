import json
import math
from xml.etree import ElementTree

from temper.optimize.told import Trial, as_json, picture, sentences, table, took
from temper.statistics.confidence_sequence import Interval


def interval(ratio, low, high, values=8):
    return Interval(math.log(ratio), math.log(low), math.log(high), values)


TRIALS = [
    Trial("baseline", "overtaken", "fast", interval(4, 3.9, 4.1), None, 8.0, 1.0),
    Trial("fast", "ahead", median_ms=2.0, speed=4.0),
    Trial("near", "not told apart", "fast", interval(1.0, 0.985, 1.015), None, 2.0, 4.0),
    Trial("open", "open", "fast", interval(0.99, 0.9, 1.1, 6), None, 2.0, 4.1),
    Trial("barely", "open", "fast", Interval(0.1, -math.inf, math.inf, 2), None, 2.2, 3.6),
    Trial("wrong", "answers", "baseline", interval(0.2, 0.19, 0.21), "9.00 points lost", 1.6, 5.0),
    Trial("absent", "not made", reason="no time"),
]


def test_how_long_it_took_is_told_in_all_and_apart():
    said = "Took 4 min 10 s in all: 2 min 5 s making artifacts, 2 min 0 s racing, 5 s measuring on the test rows."
    assert took(125, 120, 5) == said
    assert took(60, 120, None) == "Took 3 min 0 s in all: 1 min 0 s making artifacts, 2 min 0 s racing."


def test_what_more_time_could_bring_is_said_of_the_open_ones_alone():
    said = " ".join(sentences(TRIALS, winner="fast", baseline="baseline", margin=0.02))
    assert "7 candidates: 2 open: time ran out, 1 not faster by more than the margin, 1 overtaken" in said
    assert "More time could bring: open at most 10.0 % less time." in said
    assert "Of 1 candidates nothing is known" in said
    assert "Not faster than fast by more than 2 %: near." in said


def test_a_search_that_found_nothing_says_so():
    said = sentences([Trial("baseline", "ahead", speed=1.0)], winner="baseline", baseline="baseline", margin=0.02)
    assert said[-1] == "Nothing was found that is faster than the baseline and right."


def test_the_table_has_a_row_for_each_and_the_winner_first():
    rows = table(TRIALS).splitlines()
    assert rows[0].count("|") == 6
    assert len(rows) == 2 + len(TRIALS)
    assert rows[2].startswith("| **fast** | 4.00 |")
    assert rows[-1].startswith("| absent | – | – | – | not made: no time")
    assert "| near | 4.00 | fast | 1.00 [0.985, 1.01] |" in table(TRIALS) or "[0.985, 1.02]" in table(TRIALS)


def test_the_picture_is_a_whole_drawing_with_each_timed_point():
    drawn = ElementTree.fromstring(picture(TRIALS, workload="b1", baseline="torch"))
    text = "".join(drawn.itertext())
    assert drawn.tag.endswith("svg")
    assert "4.00 × as fast as torch" in text
    assert "absent" not in text
    timed = [trial for trial in TRIALS if trial.speed is not None]
    assert f"b1: {len(timed)} of {len(TRIALS)} candidates had turns; times as fast as torch" in text
    assert "the fastest that is right" in text


def test_the_picture_explains_the_colours_it_has_and_says_what_it_leaves_out():
    slower = [Trial(f"slow-{number}", "slower", speed=0.5) for number in range(3)]
    text = picture([Trial("fast", "ahead", speed=2.0), *slower], workload="b1", baseline="torch", most=2)
    assert "4 of 4 candidates had turns, the fastest 2 of them" in text
    assert "dropped or overtaken" in text
    assert "answers or bound" not in text
    assert picture([], workload="b1", baseline="torch")


def test_bounds_that_say_nothing_are_null_in_the_file():
    found = json.loads(json.dumps(as_json(TRIALS), allow_nan=False))
    assert found["barely"]["low"] is None
    assert found["open"]["low"] == 0.9
    assert found["absent"]["blocks"] == 0
