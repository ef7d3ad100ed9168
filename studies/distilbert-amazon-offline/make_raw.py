"""Long product reviews of joined sentences: train.tsv and test.tsv, of which one sentence decides, at a drawn place.

The sentence that decides is a row of Temper's embedded grammar (temper/data/synthetic.py), about a film. Around it stand
sentences about the delivery, the parcel and the shop, which praise and blame nothing. A row that is cut before the deciding
sentence has lost its label, so a limit in tokens has a price that is known. Equal arguments give equal files.
"""

import argparse
import csv
import random
from pathlib import Path

from temper.data.synthetic import LABEL_NAMES, Options, load

SEED = 17
LONGEST_WORDS = 510  # 512 tokens: the study's tokenizer makes one of each word and stop, and adds two
LONG = (80, LONGEST_WORDS)  # words asked for; a text has up to 17 fewer, so at least 63, and 64 tokens with the first
SHORT = (16, 62)  # of the texts in train on which a network from scratch learns the sentences
SHORT_SHARE = 0.75
# Which of two clauses is the second one is more than a small network learns at 500 places: sentences with these are left out.
TURNS = {"but", "yet", "however", "still", "although", "though", "while"}
SUBJECTS = (
    "the parcel", "the box", "the second disc", "the order", "the sleeve", "the booklet", "the shop", "the courier",
    "the invoice", "the case", "the spine of the case", "the label on the back", "the set", "this edition",
)  # fmt: skip
SENTENCES = (
    "{subject} arrived on {day}", "{subject} came in {month} with the mail", "i ordered it on {day} from {place}",
    "{subject} weighs about {number} grams", "it is {number} minutes long without the credits",
    "{subject} was left with {who} on {day}", "there are {number} chapters on the first disc",
    "{who} ordered the same one in {month}", "{subject} has the number {number} printed on it",
    "we put it on the shelf in {place} next to {number} others", "the print on {subject} is in {language}",
    "{who} asked for the {language} subtitles", "it plays on the machine in {place} and on the one of {who}",
    "{subject} is {number} by {number} centimeters", "the menu opens in {language} first",
    "i have owned this kind of player since {month}", "{subject} shows {who} in front of {place}",
)  # fmt: skip
WORDS = {
    "subject": SUBJECTS,
    "day": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "month": ("january", "february", "march", "april", "june", "july", "august", "october", "november"),
    "place": ("the kitchen", "the town center", "the living room", "the warehouse", "the corner shop", "the station"),
    "who": ("my sister", "my father", "an old friend", "our neighbors", "two colleagues", "the kids", "the clerk"),
    "number": ("three", "seven", "twelve", "twenty", "thirty", "fifty", "ninety", "a hundred", "two hundred"),
    "language": ("english", "french", "german", "spanish", "dutch", "italian"),
}


class Word(dict[str, tuple[str, ...]]):
    """Draws one of the words each time a placeholder is filled."""

    def __init__(self, draw: random.Random) -> None:
        super().__init__(WORDS)
        self._draw = draw

    def __getitem__(self, name: str) -> str:  # type: ignore[override]
        return self._draw.choice(super().__getitem__(name))


def around(draw: random.Random, words: int) -> list[str]:
    """Sentences that decide nothing, of at most so many words together, stops included."""
    found: list[str] = []
    while True:
        sentence = draw.choice(SENTENCES).format_map(Word(draw)) + " ."
        words -= len(sentence.split())
        if words < 0:
            return found
        found.append(sentence)


def deciding_sentences(split: str, count: int) -> list[tuple[str, str]]:
    """So many sentences of the grammar with their labels."""
    rows = 2 * count + 100  # about a quarter is left out
    options = Options(
        source="synthetic", train_rows=rows, test_rows=rows, label_noise=0.0, validation_rows=1, calibration_rows=1, max_tokens=64
    )  # fmt: skip
    drawn = load(options, SEED)
    examples = drawn.train if split == "train" else drawn.test
    every = zip(examples.texts or (), examples.labels, strict=True)
    kept = [(text, LABEL_NAMES[label]) for (text,), label in every if TURNS.isdisjoint(text.split())]
    return kept[:count]


def review(draw: random.Random, deciding: str, words: int) -> str:
    """One text of about so many words, the deciding sentence at a place that is drawn evenly."""
    sentences = around(draw, words - len(deciding.split()))
    sentences.insert(draw.randint(0, len(sentences)), deciding)
    return " ".join(sentences)


def main() -> None:
    """Write the two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where train.tsv and test.tsv go")
    parser.add_argument("--train-rows", type=int, required=True)
    parser.add_argument("--test-rows", type=int, required=True)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", asked.train_rows), ("test", asked.test_rows)):
        draw = random.Random(f"{SEED}/{split}")  # text seeds do not depend on the process
        rows = []
        for deciding, label in deciding_sentences(split, count):
            words = draw.randint(*(SHORT if split == "train" and draw.random() < SHORT_SHARE else LONG))
            rows.append((review(draw, deciding, words), label))
        with (asked.folder / f"{split}.tsv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
            writer.writerows([("review", "label"), *rows])
        words_of = [len(text.split()) for text, _ in rows]
        print(f"{split}: {len(rows):,} rows of {min(words_of)} to {max(words_of)} words")


if __name__ == "__main__":
    main()
