"""Accuracy against the baseline's answers on the same rows, and what so many rows can decide."""

import pytest

from temper.report.formats import judged_by
from tests.records import compared, compared_json, record, several

BASE = record("base", predictions=[0, 1, 1, 1])


def of(own, *, baseline=BASE, **analysis):
    return compared_json([baseline, own], "base", **analysis)["candidates"][own.candidate]


def test_flips_are_counted_by_what_they_were_and_listed_with_both_confidences():
    found = of(record("a", predictions=[1, 1, 1, 0]))["accuracy"]["against_baseline"]
    assert (found["right_to_wrong"], found["wrong_to_right"], found["both_right"]) == (1, 1, 2)
    assert found["labels_differing"] == 2
    assert found["difference_points"] == 0.0
    assert found["mcnemar_exact_p"] == 1.0
    assert [(flip["row"], flip["label"], flip["baseline"], flip["candidate"]) for flip in found["flipped"]] == [
        (0, "negative", "negative", "positive"),
        (3, "negative", "positive", "negative"),
    ]
    assert found["flipped"][0]["candidate_confidence"] == pytest.approx(0.7311, abs=1e-4)  # softmax of 0 and 1
    assert found["largest_logit_difference"] == 1.0
    assert found["mean_logit_difference"] == 0.5


def test_more_than_two_classes_can_go_from_one_wrong_label_to_another():
    labels = [0, 1, 2, 2]
    base = record("base", predictions=[0, 1, 2, 0], labels=labels)
    found = of(record("a", predictions=[0, 1, 2, 1], labels=labels), baseline=base)["accuracy"]
    assert found["against_baseline"]["wrong_to_other_wrong"] == 1
    assert found["against_baseline"]["difference_points"] == 0.0
    assert found["recall_by_class"] == {"negative": 1.0, "positive": 1.0, "neutral": 0.5}


def test_answers_that_depend_on_the_batch_are_counted_at_each_size():
    found = of(record("a", other_batches={"1": [0, 1, 0, 1]}))["accuracy"]
    assert found["batch_size"] == 2
    assert found["labels_differing_by_batch_size"] == {"1": 2}


def test_the_baseline_is_within_by_construction_whatever_the_rows():
    found = compared_json([BASE], "base")["candidates"]["base"]["accuracy"]["against_baseline"]
    assert (found["verdict"], found["is_baseline"], found["rows_that_would_decide"]) == ("within", True, None)
    assert (found["difference_low_points"], found["difference_high_points"], found["loses_at_most_points"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({}, True, id="the same files on the same row of backends"),
        pytest.param({"backend": {"options": {"threads": 2}}}, False, id="other options"),
        pytest.param({"backend": {"library_version": "1.6"}}, False, id="another version"),
        pytest.param({"artifact": {"files_sha256": {"model.onnx": "other"}}}, False, id="another file"),
    ],
)
def test_the_same_thing_under_another_name_is_within_too(change, same):
    base = record("base", backend="ort")
    own = record("again", backend="ort")
    own = own.model_copy(
        update={
            "backend": {**own.backend, **change.get("backend", {})},
            "artifact": own.artifact.model_copy(update=change.get("artifact", {})),
        }
    )
    found = of(own, baseline=base)["accuracy"]["against_baseline"]
    assert (found["is_baseline"], found["verdict"]) == (same, "within" if same else "undecided")


def test_the_same_thing_that_answers_otherwise_is_held_to_its_answers():
    again = record("again", backend="ort", predictions=[1, 1, 1, 0])
    found = of(again, baseline=record("base", backend="ort"))["accuracy"]["against_baseline"]
    assert (found["is_baseline"], found["verdict"]) == (False, "undecided")


def test_no_flip_is_bounded_exactly_and_flips_by_their_interval():
    labels = [0, 1] * 250
    base = record("base", predictions=labels, labels=labels)
    alike = of(record("alike", predictions=labels, labels=labels), baseline=base)["accuracy"]["against_baseline"]
    assert (alike["verdict"], alike["rows_that_would_decide"]) == ("undecided", 765)
    assert alike["loses_at_most_points"] == pytest.approx(0.735, abs=0.001)  # 1 − 0.025 ** (1 / 500)
    lost = of(record("lost", predictions=[1, *labels[1:]], labels=labels), baseline=base)["accuracy"][
        "against_baseline"
    ]
    assert lost["loses_at_most_points"] == -lost["difference_low_points"]


def test_any_number_of_labels_is_judged_by_macro_f1_and_flips_name_the_labels():
    labels = [0b01, 0b11, 0b10, 0b00]
    found = of(several("a", [0b01, 0b01, 0b10, 0b01], labels), baseline=several("base", labels, labels))["accuracy"]
    assert found["metric"] == "macro_f1"
    assert found["metric_value"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["accuracy"] == 0.5
    paired = found["against_baseline"]
    assert paired["difference_points"] == pytest.approx(100 * ((0.8 + 2 / 3) / 2 - 1))
    assert paired["difference_low_points"] < paired["difference_points"] < paired["difference_high_points"]
    assert paired["labels_differing"] == 2
    assert [(flip["baseline"], flip["candidate"]) for flip in paired["flipped"]] == [
        ("negative, positive", "negative"),
        ("–", "negative"),
    ]
    assert found["recall_by_class"] == {"negative": 1.0, "positive": 0.5}
    assert "expected_calibration_error" not in found


def test_a_budget_in_another_metric_is_held_against_that_metric():
    labels = [0, 1] * 100
    base = record("base", predictions=labels, labels=labels)
    worse = record("a", predictions=[0, 1] * 90 + [0, 0] * 10, labels=labels)
    by_accuracy = of(worse, baseline=base)["accuracy"]
    assert "metric" not in by_accuracy
    found = of(worse, baseline=base, metric="lowest_recall", accuracy_budget_points=2.0)["accuracy"]
    assert (found["metric"], found["metric_value"]) == ("lowest_recall", 0.9)
    assert found["against_baseline"]["difference_points"] == pytest.approx(-10.0)
    assert found["against_baseline"]["verdict"] == "beyond"
    assert by_accuracy["against_baseline"]["difference_points"] == pytest.approx(-5.0)


def test_the_words_of_a_report_name_the_metric():
    labels = [0, 1] * 20
    base = record("base", predictions=labels, labels=labels)
    found = compared([base, record("a", predictions=labels, labels=labels)], "base", metric="macro_f1")
    assert judged_by(found) == "macro-F1"
    assert judged_by(compared([base], "base")) == "accuracy"
