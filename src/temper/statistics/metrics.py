"""What answers are judged by beside accuracy, each of many weightings of the rows at once: what a bootstrap asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.statistics import ranking
from temper.tasks import ranks

Floats = npt.NDArray[np.float64]

TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "matthews": "MCC",
    "lowest_recall": "lowest recall",
    "auroc": "AUROC",
    "spearman": "Spearman",
    "ndcg_at_10": "NDCG@10",
    "entity_f1": "entity F1",
}

GROUPED = ("ndcg_at_10",)  # means over what rows belong to


@dataclass(frozen=True, eq=False)
class Judged:
    """A candidate's answers on labelled rows.

    right: whether a row's answer is its label, bool [rows].
    given, wanted: whether a row is given each label, and has it, bool [rows, labels].
    chances: probability of each label, float64 [rows, labels].
    entities: whether an entity begins at a word that is both given and true, that is given, that is true: bool [rows, 3].
    answers, truth: scores where they are no labels, float64 [rows].
    groups: number of what each row belongs to, such as its query, int64 [rows]; None: each row stands for itself.
    """

    right: npt.NDArray[np.bool_]
    given: npt.NDArray[np.bool_]
    wanted: npt.NDArray[np.bool_]
    chances: Floats
    entities: npt.NDArray[np.bool_] | None = None
    answers: Floats | None = None
    truth: Floats | None = None
    groups: npt.NDArray[np.int64] | None = None


def _shares(part: Floats, whole: Floats) -> Floats:
    """part / whole; NaN where the whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))


def _mean_of_known(values: Floats) -> Floats:
    """Mean over the last axis of what is no NaN; 0 where all is."""
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0.0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1))


def accuracy(weights: Floats, answers: Judged) -> Floats:
    """Share of rows that are right."""
    return np.asarray(weights @ answers.right / weights.sum(axis=1))


def macro_f1(weights: Floats, answers: Judged) -> Floats:
    """Mean F1 of the labels that occur or are given."""
    both = weights @ (answers.given & answers.wanted)
    either = weights @ (answers.given.astype(np.float64) + answers.wanted)
    return _mean_of_known(_shares(2 * both, either))


def micro_f1(weights: Floats, answers: Judged) -> Floats:
    """F1 of all decisions together."""
    both = (weights @ (answers.given & answers.wanted)).sum(axis=1)
    either = (weights @ (answers.given.astype(np.float64) + answers.wanted)).sum(axis=1)
    return np.asarray(np.nan_to_num(_shares(2 * both, either)))


def lowest_recall(weights: Floats, answers: Judged) -> Floats:
    """Recall of the label that has the lowest, of those that occur."""
    recalls = _shares(weights @ (answers.given & answers.wanted), weights @ answers.wanted.astype(np.float64))
    return np.asarray(np.where(np.isnan(recalls), np.inf, recalls).min(axis=1))


def matthews(weights: Floats, answers: Judged) -> Floats:
    """Multi-class correlation (Gorodkin 2004, equation 8), −1 to 1; 0 where one side has one label alone."""
    rows, right = weights.sum(axis=1), weights @ answers.right
    true, given = weights @ answers.wanted.astype(np.float64), weights @ answers.given.astype(np.float64)
    spread = (rows**2 - (given**2).sum(axis=1)) * (rows**2 - (true**2).sum(axis=1))
    return np.nan_to_num(_shares(right * rows - (true * given).sum(axis=1), np.sqrt(np.maximum(spread, 0.0))))


def _area(weights: Floats, chances: Floats, wanted: npt.NDArray[np.bool_]) -> Floats:
    """Area under the ROC curve of one label: the share of pairs in the right order, half of those that tie (Mann & Whitney)."""
    _, group = np.unique(chances, return_inverse=True)
    groups = int(group.max()) + 1
    on, off = np.zeros((len(weights), groups)), np.zeros((len(weights), groups))
    np.add.at(on.T, group[wanted], weights[:, wanted].T)
    np.add.at(off.T, group[~wanted], weights[:, ~wanted].T)
    below = np.cumsum(off, axis=1) - off
    return _shares((on * (below + off / 2)).sum(axis=1), on.sum(axis=1) * off.sum(axis=1))


def auroc(weights: Floats, answers: Judged) -> Floats:
    """Mean over the labels of the area under each one's ROC curve against all others; of two single labels that of either."""
    areas = [
        _area(weights, answers.chances[:, place], answers.wanted[:, place]) for place in range(answers.wanted.shape[1])
    ]
    return _mean_of_known(np.stack(areas, axis=1))


def _scores(answers: Judged) -> tuple[Floats, Floats]:
    assert answers.answers is not None
    assert answers.truth is not None
    return answers.answers, answers.truth


def spearman(weights: Floats, answers: Judged) -> Floats:
    """Spearman's rank correlation with the true scores, −1 to 1."""
    return ranks.spearman(*_scores(answers), weights)


def ndcg_at_10(weights: Floats, answers: Judged) -> Floats:
    """Mean NDCG@10 of the queries that have a relevant row; all rows are one query's where nothing groups them."""
    first, gain = ranking.ndcg(*_scores(answers), answers.groups)
    known = ~np.isnan(gain)
    often = weights[:, first[known]]  # all rows of a query are drawn together
    return np.asarray(np.nan_to_num(_shares(often @ gain[known], often.sum(axis=1))))


def entity_f1(weights: Floats, answers: Judged) -> Floats:
    """F1 of whole entities together, 0–1 (temper/statistics/entities.py)."""
    assert answers.entities is not None
    both, given, wanted = (weights @ answers.entities.astype(np.float64)).T
    return np.asarray(np.nan_to_num(_shares(2 * both, given + wanted)))


METRICS: dict[str, Callable[[Floats, Judged], Floats]] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "micro_f1": micro_f1,
    "matthews": matthews,
    "lowest_recall": lowest_recall,
    "auroc": auroc,
    "spearman": spearman,
    "ndcg_at_10": ndcg_at_10,
    "entity_f1": entity_f1,
}


def value(name: str, answers: Judged) -> float:
    """A metric of answers on all rows, each once."""
    every: Any = np.ones((1, len(answers.right)))
    return float(METRICS[name](every, answers)[0])
