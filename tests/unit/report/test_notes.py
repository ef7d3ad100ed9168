from dataclasses import replace

from temper.measurement.record import NotMeasured
from temper.report.decide.decision import decide
from temper.report.notes import SHOWN, Kind, Note, first_notes, notes
from tests.records import compared, doubted, record, workload


def found(records, baseline="base", decision=None, **changes):
    against = replace(compared(records, baseline), **changes)
    return notes(records, against, decision or decide(records, against))


def texts(records, **options):
    return [note.text for note in found(records, **options)]


def test_they_say_what_the_table_cannot_show():
    records = [
        record("base", predictions=[0, 1, 1, 0], latencies_ms=[1.0, 2.0, 30.0]),
        record("other", predictions=[0, 0, 1, 1], cut_rows=3),
        record("gpu", reason="no NVIDIA GPU"),
        record("harness", predictions=None),
    ]
    said = texts(records)
    assert "other: 3 test rows were cut to the length it accepts" in said
    assert "workload b1: 25 % of the timed tokens are padding" in said
    assert any(note.startswith("workload b1: the baseline beside itself is 1.000 [0.980, 1.020]") for note in said)
    assert sum("not measured" in note for note in said) == 2
    assert "base's, both timed in turns" in said[-2]


def test_logits_that_are_not_the_models_are_named_also_where_all_labels_agree():
    far = record("far")
    answers = far.accuracy.by_batch_size["2"]
    logits = [[3e8 * each for each in row] for row in answers.logits]
    scaled = far.accuracy.model_copy(update={"by_batch_size": {"2": answers.model_copy(update={"logits": logits})}})
    said = texts([record("base"), record("near"), far.model_copy(update={"accuracy": scaled})])
    assert [note.partition(":")[0] for note in said if "confidences mean nothing" in note] == ["far"]
    assert any("up to 3e+08, more than all of the baseline's lie apart (1)" in note for note in said)


def test_a_workload_that_was_lost_is_a_note():
    both = {"b1": workload([1.0, 2.0, 3.0]), "b256": workload([1.0, 2.0, 30.0])}
    lost = {**both, "b256": NotMeasured(reason="out of memory: CUDA")}
    said = texts([record("base", workloads=both), record("gpu", workloads=lost)])
    assert "gpu, b256: not measured: out of memory: CUDA" in said


def test_what_says_that_the_choice_is_worth_less_comes_first_and_how_to_read_columns_last():
    records = [record("base"), record("other", cut_rows=3)]
    against = compared(records, "base")
    decision = decide(records, against)
    warned = replace(decision.workloads["b1"], warnings=("it answers one label only",))
    decision = replace(decision, workloads={"b1": warned})
    said = [note.text for note in notes(records, against, decision)]
    assert said[0] == "it answers one label only"
    assert said[-1].startswith("difference is the accuracy minus the baseline's")
    kinds = [note.kind for note in found(records)]
    assert kinds == sorted(kinds)


def test_a_latency_that_does_not_hold_comes_before_accuracy_that_is_undecided():
    records = [record("base"), record("other", predictions=[0, 0, 1, 1])]
    against = compared(records, "base")
    against = doubted(against, "other", "the baseline beside it moved")
    said = [note.text for note in notes(records, against, decide(records, against))]
    undecided = next(at for at, note in enumerate(said) if note.startswith("other: accuracy undecided; about "))
    assert said.index("other, b1: does not hold: the baseline beside it moved") < undecided


def test_a_warning_is_no_latency_that_does_not_hold_where_all_of_them_hold():
    records = [record("base"), record("other").model_copy(update={"warnings": ["the load average fell"]})]
    against = compared(records, "base")
    (note,) = (note for note in notes(records, against, decide(records, against)) if "load average" in note.text)
    assert note.kind is Kind.WATCHED
    against = doubted(against, "other", "the baseline beside it moved")
    (note,) = (note for note in notes(records, against, decide(records, against)) if "load average" in note.text)
    assert note.kind is Kind.DISTURBED


def test_what_disturbs_the_null_backend_is_no_news():
    records = [record("base"), record("harness", predictions=None)]
    records[1].backend["runner"] = "null"
    against = compared(records, "base")
    against = doubted(against, "harness", "busy")
    disturbed = [note for note in notes(records, against, decide(records, against)) if note.kind is Kind.DISTURBED]
    assert disturbed == []


def test_a_row_that_says_int8_and_ran_in_fp32_is_named():
    executed = {"products_by_precision": {"FP32": 18}}
    records = [record("base"), record("other-int8", workloads={"b1": workload([1.0, 2.0, 3.0], executed=executed)})]
    assert "other-int8: INT8 in name only: its products ran in FP32" in texts(records)
    ran = {"products_by_precision": {"FP32": 8, "INT8": 10}}
    records = [record("base"), record("other-int8", workloads={"b1": workload([1.0, 2.0, 3.0], executed=ran)})]
    assert not any("in name only" in note for note in texts(records))


def test_a_terminal_gets_one_line_for_all_of_a_kind_each_candidate_once():
    alike = [Note(Kind.UNDECIDED, f"{name}: undecided", name, "100") for name in ("a", "b", "b", "c", "d", "e")]
    line = "accuracy undecided (test rows that would decide): "
    assert first_notes(alike) == [f"{line}a, b, c and 2 more (100)"]
    assert first_notes([*alike, Note(Kind.UNDECIDED, "f: undecided", "f", "7")]) == [
        f"{line}a (100), b (100), c (100) and 3 more"
    ]
    assert first_notes(alike[:1]) == ["a: undecided"]


def test_a_terminal_gets_five_lines_at_most_and_none_on_how_to_read_columns():
    every = [Note(kind, kind.name, "a") for kind in Kind]
    assert first_notes(every) == [kind.name for kind in list(Kind)[:SHOWN]]
    assert first_notes([Note(Kind.READING, "how to read"), Note(Kind.NOT_MEASURED, "the table says so")]) == []
