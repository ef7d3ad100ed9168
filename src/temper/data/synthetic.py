"""English review-like sentences from a seeded grammar: the embedded data, for a first run without any download.

Single words give the label away in most rows only; the others need word order: negation turns a clause round, and
after a contrast the second clause decides. A stated share of labels is noise, so the best possible accuracy is known.
"""

import random
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from temper.data.examples import Examples
from temper.data.source import SourceOptions, Splits

LABEL_NAMES = ("negative", "positive")

_SUBJECTS = (
    "the plot", "the acting", "the story", "the script", "the camera work", "the soundtrack", "the ending", "the cast",
    "the dialogue", "the humor", "the pacing", "the second half", "the direction", "the opening scene", "the editing",
    "the lead actress", "the whole thing", "this film", "this sequel", "this little movie", "the villain",
    "the animation", "the screenplay", "the performance of the young lead", "the romance",
    "the chemistry between the two leads",
)  # fmt: skip
_ADJECTIVES = {
    0: (
        "dull", "clumsy", "tedious", "awful", "lifeless", "predictable", "boring", "messy", "shallow", "annoying",
        "painful", "forgettable", "lazy", "hollow", "incoherent", "bland", "tiresome", "pointless", "dreadful", "stale",
        "ugly", "sloppy", "flat", "embarrassing", "weak", "pretentious", "charmless", "muddled", "wooden", "grating",
    ),
    1: (
        "brilliant", "charming", "moving", "clever", "gripping", "beautiful", "funny", "warm", "inventive", "superb",
        "delightful", "sharp", "tender", "thrilling", "honest", "elegant", "witty", "fresh", "powerful", "memorable",
        "graceful", "stunning", "engaging", "touching", "rich", "masterful", "refreshing", "vivid", "lovely", "smart",
    ),
}  # fmt: skip
_VERBS = {
    0: ("falls apart", "bores me", "drags on", "wastes my time", "falls flat", "insults the audience", "goes nowhere",
        "loses its way", "left me cold", "misses every beat"),
    1: ("won me over", "works like a charm", "hits every note", "made me smile", "pays off", "kept me glued",
        "stole my heart", "sparkles", "rewards patience", "soars"),
}  # fmt: skip
_INTENSIFIERS = ("very", "truly", "really", "deeply", "so", "utterly", "quite", "remarkably", "thoroughly", "rather")
_COPULAS = ("is", "feels", "seems", "remains", "turns out")
_NEGATIONS = ("is not", "is never", "is hardly", "is anything but", "never feels", "does not seem", "is far from")
_NEUTRAL = (
    "i watched it on {day} with {who}", "it runs for about {number} minutes", "we saw it at {place}",
    "it was shot in {number} days", "{who} picked it for {day} evening", "the print at {place} was new",
    "it opens on {day} at {place}", "it is the work of {number} writers",
)  # fmt: skip
_FILLERS = {
    "day": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "who": ("my sister", "my father", "an old friend", "our neighbors", "two colleagues", "my students", "the kids"),
    "place": ("the festival", "the old theater downtown", "home", "a small cinema", "the drive in", "the campus hall"),
    "number": ("twelve", "twenty", "thirty", "fifty", "ninety", "a hundred", "two hundred"),
}
_OPENINGS = ("honestly ,", "for me ,", "in the end ,", "to my surprise ,", "as a fan ,", "seen twice ,", "well ,")
_CONTRASTS = (", but", ", yet", "; however ,", ", and still")
_CONCESSIONS = ("although", "even though", "while")

LIBRARIES: tuple[str, ...] = ()


class Options(SourceOptions):
    """Sizes and label noise.

    train_rows, test_rows: rows of each split; validation is drawn from train.
    label_noise: share of rows, in every split, whose label is turned round (0 to 0.5).
    """

    source: Literal["synthetic"]
    validation_rows: PositiveInt
    max_tokens: PositiveInt
    train_rows: PositiveInt
    test_rows: PositiveInt
    label_noise: Annotated[float, Field(ge=0.0, lt=0.5)]


def _adjective(draw: random.Random, polarity: int) -> str:
    adjective = draw.choice(_ADJECTIVES[polarity])
    if draw.random() < 0.4:
        adjective = f"{draw.choice(_INTENSIFIERS)} {adjective}"
    if draw.random() < 0.25:
        adjective = f"{adjective} and {draw.choice(_ADJECTIVES[polarity])}"
    return adjective


def _clause(draw: random.Random, polarity: int) -> str:
    subject, kind = draw.choice(_SUBJECTS), draw.random()
    if kind < 0.12:
        return f"{subject} {draw.choice(_NEGATIONS)} {_adjective(draw, 1 - polarity)}"
    if kind < 0.50:
        return f"{subject} {draw.choice(_VERBS[polarity])}"
    return f"{subject} {draw.choice(_COPULAS)} {_adjective(draw, polarity)}"


def _neutral(draw: random.Random) -> str:
    return draw.choice(_NEUTRAL).format(**{name: draw.choice(words) for name, words in _FILLERS.items()})


def _review(draw: random.Random, polarity: int) -> str:
    kind = draw.random()
    if kind < 0.18:
        text = f"{_clause(draw, 1 - polarity)} {draw.choice(_CONTRASTS)} {_clause(draw, polarity)}"
    elif kind < 0.24:
        text = f"{draw.choice(_CONCESSIONS)} {_clause(draw, 1 - polarity)} , {_clause(draw, polarity)}"
    elif kind < 0.50:
        text = f"{_clause(draw, polarity)} , and {_clause(draw, polarity)}"
    else:
        text = _clause(draw, polarity)
    if draw.random() < 0.35:
        text = f"{draw.choice(_OPENINGS)} {text}"
    second = draw.random()
    if second < 0.25:
        text = f"{_neutral(draw)} . {text}"
    elif second < 0.45:
        text = f"{text} . {_neutral(draw)}"
    elif second < 0.60:
        text = f"{text} . {_clause(draw, polarity)}"
    return f"{text} ."


def _examples(options: Options, seed: int, split: str, rows: int) -> Examples:
    draw = random.Random(f"{seed}/{split}")  # text seeds go through SHA-512, not through Python's salted hash
    texts: list[tuple[str, ...]] = []
    labels: list[int] = []
    for _ in range(rows):
        label = draw.randrange(2)
        texts.append((_review(draw, label),))
        labels.append(1 - label if draw.random() < options.label_noise else label)
    return Examples(origin=f"synthetic {split}", labels=labels, texts=texts)


def load(options: Options, seed: int) -> Splits:
    """Sentences of some 5 to 40 words; equal options and seed give equal rows in every process."""
    return Splits(
        train=_examples(options, seed, "train", options.train_rows),
        validation=None,
        test=_examples(options, seed, "test", options.test_rows),
        label_names=LABEL_NAMES,
        notes={"source": "synthetic review sentences", "label_noise": options.label_noise},
    )
