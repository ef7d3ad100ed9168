import numpy as np

from temper.comparison.rows import rows
from tests.records import record
from tests.unit.comparison.experiments import FEW, LABELS, MANY, SAMPLES, experiment, wrong


def test_identical_experiments_are_one_row_with_their_names_joined():
    again = experiment("again", wrong(0, 1, 2), samples=65, ratio=(0.7, 0.6, 0.8))
    found = rows([FEW, MANY, again])
    assert [(row.name, row.values(SAMPLES)) for row in found] == [("few", [8]), ("many, again", [64, 65])]
    assert found[1].changed == {"many": {SAMPLES: 64}, "again": {SAMPLES: 65}}
    assert found[1].cells["b1"].ratio == 0.8  # the first one's


def test_a_row_holds_its_answers_and_those_of_its_own_experiments_baseline():
    row = rows([FEW, MANY])[0]
    assert row.labels_differing == 30
    assert row.accuracy == 0.85
    assert np.array_equal(row.baseline, LABELS)
    assert row.accuracy_verdict == "beyond"
    assert row.cells["b1"].holds is True


def test_one_state_of_a_study_has_a_row_for_each_measured_candidate():
    alone = experiment("workspace", wrong(1), more={"rtx": record("rtx", reason="no NVIDIA GPU")})
    assert [row.candidate for row in rows([alone])] == ["base", "int8"]


def test_without_a_baselines_answers_nothing_is_said_of_labels():
    bare = FEW.__class__("few", {**FEW.params, "baseline": {"backend": "x", "loads": "y"}}, FEW.records, {}, None)
    row = rows([bare])[1]
    assert row.baseline is None
    assert row.labels_differing is None
    assert dict(row.cells) == {}


def test_only_ratios_beside_the_same_baseline_on_the_same_inputs_go_together():
    one, other = rows([FEW, MANY])
    assert one.cells["b1"].beside == other.cells["b1"].beside
    moved = MANY.records["int8"].model_copy(update={"baseline": {"backend": "another"}})
    elsewhere = MANY.__class__("many", MANY.params, {**MANY.records, "int8": moved}, MANY.compared, None)
    assert rows([FEW, elsewhere])[1].cells["b1"].beside != one.cells["b1"].beside
