"""Entities of tagged words: runs of words with tags such as B-PER, I-PER; counted as seqeval and conlleval count them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Entity = tuple[int, int, str]  # its first word, its last word, its kind

_OUTSIDE = "O"
_BEGINS, _ENDS = ("B", "S", "U"), ("E", "S", "L")  # of IOB2, and of IOBES and BILOU


def _parts(tag: str) -> tuple[str, str]:
    """Place in the entity and kind; a tag without a place, such as LOC, is inside one of that kind."""
    if tag == _OUTSIDE:
        return _OUTSIDE, ""
    place, dash, kind = tag.partition("-")
    return (place, kind) if dash and len(place) == 1 else ("I", tag)


def entities(tags: Sequence[str]) -> list[Entity]:
    """Entities of one row's tags.

    An entity begins with B, S or U, or where another kind or nothing stands before; it ends with E, S or L, or before a
    beginning (seqeval's default, which is conlleval's: I-PER after O begins one).
    """
    found: list[Entity] = []
    start, inside, ended = 0, "", True
    for number, tag in enumerate([*tags, _OUTSIDE]):
        place, kind = _parts(tag)
        begins = place != _OUTSIDE and (place in _BEGINS or ended or kind != inside)
        if inside and (begins or place == _OUTSIDE):
            found.append((start, number - 1, inside))
            inside = ""
        if begins:
            start, inside = number, kind
        ended = place == _OUTSIDE or place in _ENDS
    return found


def begun(answers: Labels, groups: Labels, names: Sequence[str]) -> list[Entity]:
    """Entities of all rows, by the numbers of their words.

    Args:
        answers: number of each word's tag, int64 [words].
        groups: its row, int64 [words]; words of a row follow each other.
        names: of the tags.
    """
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    found = []
    for start, end in pairwise([*starts.tolist(), len(answers)]):
        own = entities([names[tag] for tag in answers[start:end]])
        found += [(start + first, start + last, kind) for first, last, kind in own]
    return found


def flags(answers: Labels, labels: Labels, groups: Labels, names: Sequence[str]) -> Flags:
    """Of each word, whether an entity begins there that is given and true, that is given, and that is true: bool [words, 3]."""
    given, wanted = set(begun(answers, groups, names)), set(begun(labels, groups, names))
    found = np.zeros((len(answers), 3), dtype=bool)
    for column, some in enumerate((given & wanted, given, wanted)):
        found[[first for first, _, _ in some], column] = True
    return found


@dataclass(frozen=True)
class Worth:
    """Tags of words against the true ones. Shares from 0 to 1; None where it is not defined.

    Attributes:
        rows, words: how many.
        entities: true ones.
        entity_f1: 2 · right / (given + true) of whole entities, kind and both ends right (micro average).
        entity_precision, entity_recall: its parts.
        f1_by_kind: the same of each kind.
        word_accuracy: share of words whose tag is right.
        outside: share of words whose true tag is O: the accuracy of finding nothing.
    """

    rows: int
    words: int
    entities: int
    entity_f1: float
    entity_precision: float | None
    entity_recall: float | None
    f1_by_kind: dict[str, float]
    word_accuracy: float
    outside: float

    def warnings(self, split: str) -> list[str]:
        """What a person has to know before taking the model for one that works, a sentence each without a full stop."""
        if not self.entities:
            return [f"no {split} row has an entity, so nothing can be told"]
        if not self.entity_f1:
            return [f"the model finds none of the {self.entities:,} entities of the {split} rows"]
        return []

    def sentence(self, split: str) -> str:
        """The figures in words."""
        return (
            f"entity F1 {100 * self.entity_f1:.1f} % of {self.entities:,} entities in {self.rows:,} {split} rows, "
            f"{100 * self.word_accuracy:.1f} % of {self.words:,} words tagged right (always O: {100 * self.outside:.1f} %)"
        )

    def as_json(self) -> dict[str, Any]:
        """All figures by name."""
        return asdict(self)


def _f1(right: int, given: int, wanted: int) -> float:
    return 2 * right / (given + wanted) if given + wanted else 0.0


def worth_of(answers: Labels, labels: Labels, names: Sequence[str], groups: Labels) -> Worth:
    """What tags are worth. Arrays int64 [words], as `begun` has them."""
    given, wanted = set(begun(answers, groups, names)), set(begun(labels, groups, names))
    right = given & wanted
    outside = names.index(_OUTSIDE) if _OUTSIDE in names else -1
    kinds = sorted({kind for _, _, kind in given | wanted})
    return Worth(
        rows=len(np.unique(groups)),
        words=len(labels),
        entities=len(wanted),
        entity_f1=_f1(len(right), len(given), len(wanted)),
        entity_precision=len(right) / len(given) if given else None,
        entity_recall=len(right) / len(wanted) if wanted else None,
        f1_by_kind={
            kind: _f1(*(sum(each[2] == kind for each in some) for some in (right, given, wanted))) for kind in kinds
        },
        word_accuracy=float((answers == labels).mean()),
        outside=float((labels == outside).mean()),
    )
