"""Entities and their F1 against seqeval's, over drawn tags of three schemes, those that follow none of their rules included.

What seqeval 1.2.2 gave stands here; a long test installs it and holds both against it (docs/decisions/0094).
"""

import subprocess
import sys

import numpy as np
import pytest

from temper.environment.library import LIBRARIES_FOLDER
from temper.statistics.entities import begun, worth_of

SEQEVAL = "seqeval==1.2.2"
PLACES = {"IOB2": "BI", "IOBES": "BIES", "BILOU": "BILU"}
KINDS = ("PER", "LOC", "A-B")
ROWS, WORDS = 400, 9
#           F1, precision, recall, entities that are true, F1 of A-B, LOC and PER
FOUND: dict[str, list[float]] = {
    "IOB2": [0.8458263927, 0.8494423792, 0.8422410616, 2713, 0.8367117117, 0.8495670996, 0.8510399101],
    "IOBES": [0.8752031199, 0.87862969, 0.8718031725, 3089, 0.8840651209, 0.8739336493, 0.8676251859],
    "BILOU": [0.7229647631, 0.7234042553, 0.7225258045, 1647, 0.7210379981, 0.7285587975, 0.719038817],
}


def drawn(scheme: str):
    """Answers and labels int64 [words], the rows of words, and the names of the tags.

    Of BILOU, which seqeval reads by the scheme's own rules alone, they follow these.
    """
    names = ["O", *(f"{place}-{kind}" for place in PLACES[scheme] for kind in KINDS)]
    generator = np.random.default_rng(len(names))
    if scheme == "BILOU":
        labels = np.concatenate([whole(generator, names) for _ in range(ROWS)])
        others = np.concatenate([whole(generator, names) for _ in range(ROWS)])
        answers = np.where(np.repeat(generator.random(ROWS) < 0.3, WORDS), others, labels)
    else:
        labels = generator.integers(0, len(names), ROWS * WORDS)
        answers = np.where(generator.random(len(labels)) < 0.15, generator.integers(0, len(names), len(labels)), labels)
    return answers, labels, np.repeat(np.arange(ROWS), WORDS), names


def whole(generator, names):
    """A row of entities of one to three words, with and without words between."""
    tags: list[str] = []
    while len(tags) < WORDS:
        size = min(int(generator.integers(0, 4)), WORDS - len(tags))
        places = {0: "", 1: "U", 2: "BL", 3: "BIL"}[size]
        kind = KINDS[generator.integers(len(KINDS))]
        tags += [f"{place}-{kind}" for place in places] or ["O"]
    return [names.index(tag) for tag in tags]


def figures(scheme: str) -> list[float]:
    answers, labels, groups, names = drawn(scheme)
    worth = worth_of(answers, labels, names, groups)
    own = [worth.entity_f1, worth.entity_precision, worth.entity_recall, worth.entities]
    return [*own, *(worth.f1_by_kind[kind] for kind in sorted(KINDS))]


@pytest.mark.parametrize("scheme", PLACES)
def test_figures_are_those_that_seqeval_gave(scheme):
    assert figures(scheme) == pytest.approx(FOUND[scheme], abs=1e-9)


@pytest.fixture(scope="module")
def seqeval():
    """The library, in a folder beside the other versions that are tried; skipped where it cannot be had."""
    folder = LIBRARIES_FOLDER / SEQEVAL.replace("==", "-")
    if not (folder / "seqeval").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), SEQEVAL]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"{SEQEVAL} cannot be installed here: {done.stderr.strip()[-200:]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        import seqeval.metrics.sequence_labeling as library

        yield library


@pytest.mark.long
@pytest.mark.parametrize("scheme", PLACES)
def test_figures_are_those_of_seqeval(seqeval, scheme):
    answers, labels, _, names = drawn(scheme)
    given, wanted = ([[names[tag] for tag in row] for row in each.reshape(ROWS, WORDS)] for each in (answers, labels))
    how = {}
    if scheme == "BILOU":
        from seqeval.scheme import BILOU

        how = {"mode": "strict", "scheme": BILOU}
    else:
        theirs = [(first, last, kind) for kind, first, last in seqeval.get_entities([names[tag] for tag in answers])]
        assert begun(answers, np.zeros(len(answers), int), names) == theirs
    report = seqeval.classification_report(wanted, given, output_dict=True, **how)
    average = report["micro avg"]
    own = [seqeval.f1_score(wanted, given, **how), average["precision"], average["recall"], average["support"]]
    assert figures(scheme) == pytest.approx([*own, *(report[kind]["f1-score"] for kind in sorted(KINDS))], abs=1e-12)
    assert figures(scheme) == pytest.approx(FOUND[scheme], abs=1e-9)
