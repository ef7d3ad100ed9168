import numpy as np
import pytest

from temper.statistics.entities import begun, entities, flags, worth_of
from temper.statistics.metrics import METRICS, Judged, value

NAMES = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [  # what seqeval 1.2.2's get_entities gives, as (kind, first, last)
        ("B-PER I-PER O B-LOC", [(0, 1, "PER"), (3, 3, "LOC")]),
        ("I-PER I-PER O", [(0, 1, "PER")]),
        ("B-PER B-PER I-PER", [(0, 0, "PER"), (1, 2, "PER")]),
        ("B-PER I-LOC", [(0, 0, "PER"), (1, 1, "LOC")]),
        ("O O", []),
        ("O B-LOC I-LOC", [(1, 2, "LOC")]),
        ("B-PER I-PER E-PER S-LOC", [(0, 2, "PER"), (3, 3, "LOC")]),
        ("S-PER I-PER", [(0, 0, "PER"), (1, 1, "PER")]),
        ("B-A-B I-A-B", [(0, 1, "A-B")]),
    ],
)
def test_entities_are_those_of_conlleval(tags, expected):
    assert entities(tags.split()) == expected


def tagged(*rows):
    return np.array([NAMES.index(tag) for row in rows for tag in row.split()])


ROWS = ("B-PER I-PER O", "B-LOC O", "O O")
GROUPS = np.array([0, 0, 0, 1, 1, 2, 2])


def test_an_entity_ends_with_its_row():
    answers = tagged("O O B-PER", "I-PER O", "O O")
    assert begun(answers, GROUPS, NAMES) == [(2, 2, "PER"), (3, 3, "PER")]


def test_whole_entities_count():
    answers = tagged("B-PER O O", "B-LOC O", "B-PER O")  # one cut short, one right, one made up
    found = worth_of(answers, tagged(*ROWS), NAMES, GROUPS)
    assert (found.entity_precision, found.entity_recall) == (1 / 3, 1 / 2)
    assert found.entity_f1 == pytest.approx(0.4)
    assert found.f1_by_kind == {"LOC": 1.0, "PER": 0.0}
    assert found.word_accuracy == pytest.approx(5 / 7)
    assert "entity F1 40.0 % of 2 entities in 3 test rows" in found.sentence("test")
    judged = Judged(*[np.zeros(7, bool)] * 3, np.zeros((7, 5)), flags(answers, tagged(*ROWS), GROUPS, NAMES))
    assert value("entity_f1", judged) == pytest.approx(0.4)


def test_a_drawn_row_counts_as_often_as_it_is_drawn():
    answers = tagged("B-PER O O", "B-LOC O", "B-PER O")
    judged = Judged(*[np.zeros(7, bool)] * 3, np.zeros((7, 5)), flags(answers, tagged(*ROWS), GROUPS, NAMES))
    weights = np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0], [0.0, 3.0, 1.0]])[:, GROUPS]
    assert METRICS["entity_f1"](weights, judged).tolist() == pytest.approx([1.0, 0.0, 6 / 7])


def test_finding_nothing_is_said():
    assert (
        "finds none of the 2 entities" in worth_of(np.zeros(7, int), tagged(*ROWS), NAMES, GROUPS).warnings("test")[0]
    )
    none = np.zeros(7, int)
    assert "no test row has an entity" in worth_of(none, none, NAMES, GROUPS).warnings("test")[0]
