import numpy as np
import pytest

from temper.environment import plugins
from temper.evaluation.evaluation import evaluation_of
from temper.statistics.metrics import METRICS
from temper.tasks.task import USUAL, task_of


def test_every_task_has_its_evaluation():
    assert plugins.names("evaluation") == plugins.names("tasks")
    assert evaluation_of(None) is plugins.load("evaluation", USUAL)


@pytest.mark.parametrize("name", plugins.names("evaluation"))
def test_every_evaluation_says_all_that_is_asked(name):
    task, evaluation = task_of(name), evaluation_of(name)
    names = next(some for some in (("a", "b", "c"), ("a",)) if task.why_not_names(some) is None)
    pairs = getattr(task, "PAIRS", False)
    labels = np.repeat(np.array([0, 1, 2]).astype(task.LABEL_TYPE), 2 if pairs else 1)
    logits = np.random.default_rng(0).normal(size=(len(labels), 4 if pairs else len(names)))
    answers = task.answers(logits, None)
    others = np.roll(answers, 1 + (len(labels) > 3))
    sure = evaluation.confidences(logits, answers)
    assert np.isnan(sure).all() if not task.COUNTED else ((sure >= 0) & (sure <= 1)).all()
    assert evaluation.follow(answers, np.round(logits, 6), None).all()
    assert not evaluation.follow(others, np.round(logits, 6), None).all()
    assert not evaluation.differ(answers, answers).any()
    assert evaluation.differ(answers, others).any()
    assert evaluation.right(labels, labels).all() == task.COUNTED
    assert isinstance(evaluation.by_label(answers, logits, labels, names), dict)
    assert set(evaluation.METRICS) <= set(METRICS)
    found = evaluation.worth(answers, labels, names, np.arange(len(labels)) // 2)
    assert "test rows" in found.sentence("test")
    assert isinstance(found.warnings("test"), list)
    assert "rows" in found.as_json()
