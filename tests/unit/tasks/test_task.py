import numpy as np
import pytest

from temper.artifacts.signature import DYNAMIC_AXES, Signature
from temper.environment import plugins
from temper.tasks.task import USUAL, answered, task_of

LOGITS = np.array([[2.0, -1.0, 0.5], [-3.0, -2.0, -1.0]], np.float32)


def signature(**more):
    names = ("a", "b", "c")
    return Signature(task="text-classification", inputs=(), label_names=names, padding_side="right", **more)


def test_data_and_signatures_that_say_nothing_have_one_label_of_several():
    assert task_of(None) is task_of("single_label") is plugins.load("tasks", USUAL)
    assert answered(LOGITS, signature()).tolist() == [0, 2]
    assert "labels" not in signature().as_json()  # the bytes of before


def test_a_signature_says_what_an_answer_is_and_what_decides_it():
    assert answered(LOGITS, signature(labels="multi_label")).tolist() == [0b101, 0]
    assert answered(LOGITS, signature(labels="multi_label", thresholds=(0.9, 0.2, 0.2))).tolist() == [0b110, 0b100]
    again = Signature.model_validate_json(signature(labels="multi_label", thresholds=(0.9, 0.2, 0.2)).as_json())
    assert again.thresholds == (0.9, 0.2, 0.2)


@pytest.mark.parametrize("name", plugins.names("tasks"))
def test_every_task_says_all_that_is_asked(name):
    task = task_of(name)
    names = next(some for some in (("a", "b", "c"), ("a",)) if task.why_not_names(some) is None)
    labels = np.array([0, 1, 2]).astype(task.LABEL_TYPE)
    labels = np.repeat(labels, 2) if getattr(task, "PAIRS", False) else labels
    logits = np.random.default_rng(0).normal(size=(len(labels), 4 if getattr(task, "PAIRS", False) else len(names)))
    answers = task.answers(logits, None)
    assert task.probabilities(logits).shape == (len(labels), len(names))
    assert task.possible(answers, names).all()
    assert not task.possible(np.full(len(labels), np.nan), names).any()
    assert task.figure(labels, labels) == pytest.approx(1.0)
    assert task.rows_with(labels, 0).dtype == bool
    assert set(task.NETWORKS) <= set(DYNAMIC_AXES)
    assert isinstance(task.named(answers.tolist()[0], names), str)
    import torch

    outputs, wanted = torch.from_numpy(logits).float(), torch.from_numpy(labels)
    loss = task.loss(outputs[None], wanted[None]) if task.ANSWERS_AT else task.loss(outputs, wanted)
    assert loss.shape == ()
    assert float(loss) > 0
