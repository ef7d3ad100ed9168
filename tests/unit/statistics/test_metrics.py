import numpy as np
import pytest
from sklearn import metrics as theirs

from temper.statistics.metrics import METRICS, TITLES, Judged, value

OF_LABELS = METRICS.keys() - {
    "spearman",
    "ndcg_at_10",
    "entity_f1",
}  # of scores: test_ranking.py, of words: test_entities.py


def judged(labels, answers, chances):
    count = chances.shape[1]
    return Judged(answers == labels, np.eye(count, dtype=bool)[answers], np.eye(count, dtype=bool)[labels], chances)


@pytest.fixture
def rows():
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 3, 80)
    chances = generator.dirichlet([1, 1, 1], 80).round(1) + 1e-3  # with equals
    chances[np.arange(80), labels] += 0.2
    return labels, chances.argmax(axis=1), chances


def test_all_rows_once_give_scikit_learn_s_figures(rows):
    labels, answers, chances = rows
    found = judged(labels, answers, chances)
    areas = [theirs.roc_auc_score(labels == place, chances[:, place]) for place in range(3)]
    expected = {
        "accuracy": theirs.accuracy_score(labels, answers),
        "macro_f1": theirs.f1_score(labels, answers, average="macro"),
        "micro_f1": theirs.f1_score(labels, answers, average="micro"),
        "matthews": theirs.matthews_corrcoef(labels, answers),
        "lowest_recall": theirs.recall_score(labels, answers, average=None).min(),
        "auroc": np.mean(areas),
    }
    assert set(expected) == OF_LABELS
    assert METRICS.keys() == TITLES.keys()
    for name, figure in expected.items():
        assert value(name, found) == pytest.approx(figure), name


def test_weights_are_rows_that_stand_as_often(rows):
    labels, answers, chances = rows
    drawn = np.random.default_rng(0).integers(0, 80, (5, 80))
    weights = np.stack([np.bincount(each, minlength=80) for each in drawn]).astype(float)
    whole = judged(labels, answers, chances)
    for name in sorted(OF_LABELS):
        repeated = [value(name, judged(labels[each], answers[each], chances[each])) for each in drawn]
        assert METRICS[name](weights, whole).tolist() == pytest.approx(repeated), name


def test_one_label_alone_has_no_correlation_and_no_area():
    labels = np.zeros(4, int)
    found = judged(labels, labels, np.array([[0.7, 0.3]] * 4))
    assert value("matthews", found) == 0.0
    assert value("auroc", found) == 0.0
    assert value("lowest_recall", found) == 1.0
