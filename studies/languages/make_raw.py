"""Short texts in fourteen languages from the message catalogues of Django's wheel: train, validation and test TSV.

Whole messages go into a split, with all their translations and with the messages that share a phrase with them: no text of
a split stands in another one, in any language. The train texts also stand as runs of a few words, for there are few of them.
"""

import argparse
import csv
import hashlib
import io
import re
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from gettext import GNUTranslations
from pathlib import Path

LANGUAGES = {  # folder in the wheel: name of the label
    "da": "Danish",
    "nb": "Norwegian",
    "sv": "Swedish",
    "es": "Spanish",
    "pt": "Portuguese",
    "gl": "Galician",
    "ca": "Catalan",
    "cs": "Czech",
    "sk": "Slovak",
    "hr": "Croatian",
    "sl": "Slovenian",
    "de": "German",
    "nl": "Dutch",
}
ENGLISH = "English"  # the messages themselves
LEAST_WORDS = 3  # of a validation or test row
RUN_WORDS = 4
PHRASE_WORDS = 5  # messages with so many English words in a row in common count as one
TEST_PERCENT, VALIDATION_PERCENT = 29, 10
NO_TEXT = re.compile(r"%\(\w+\)[a-z]|%[a-z%]|\{[^}]*\}|<[^>]*>|&\w+;|https?://\S+")
EMPTY_QUOTES = re.compile(r"[\"'“”„«»‘’‚›‹]\s*[\"'“”„«»‘’‚›‹]|\(\s*\)")
SENTENCE_END = re.compile(r"(?<=[.!?:;]) +(?=[^\W\d_a-zà-ž])|\n+")
Texts = dict[str, dict[str, list[str]]]  # label: message: its sentences


def words(text: str) -> list[str]:
    """Words in lower case, without digits and punctuation."""
    return re.findall(r"[^\W\d_]+", text.lower())


def sentences(text: str) -> list[str]:
    """Sentences in lower case, without placeholders, markup and what they leave empty."""
    plain = EMPTY_QUOTES.sub(" ", NO_TEXT.sub(" ", text))
    lines = [" ".join(part.lower().split()) for part in SENTENCE_END.split(plain)]
    return [line for line in lines if words(line)]


def runs(text: str) -> list[str]:
    """The text, and each run of its words that is long enough."""
    parts = text.split()
    found = [" ".join(parts[start : start + RUN_WORDS]) for start in range(max(1, len(parts) - RUN_WORDS + 1))]
    return [text, *(run for run in found if len(words(run)) >= LEAST_WORDS)]


def read_catalogues(wheel: str) -> Texts:
    """Texts by label and English message; of plurals the last form, as the others differ in a letter or two."""
    found: Texts = defaultdict(dict)
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            match = re.fullmatch(r"django/.*locale/([^/]+)/LC_MESSAGES/[^/]+\.mo", name)
            if match is None or match[1] not in LANGUAGES:
                continue
            catalogue = vars(GNUTranslations(io.BytesIO(archive.read(name))))["_catalog"]  # iterating is not public
            for key, text in sorted(catalogue.items(), key=lambda entry: str(entry[0])):
                if not key:
                    continue  # the catalogue's header
                message = (key[0] if isinstance(key, tuple) else key).rpartition("\4")[2]  # behind its context
                found[LANGUAGES[match[1]]][message] = sentences(text)
                found[ENGLISH][message] = sentences(message)
    return found


def drop_ambiguous(texts: Texts) -> None:
    """Remove, in place, untranslated copies of the English text, texts of several languages, and repeated ones."""
    languages = defaultdict(set)
    for label, by_message in texts.items():
        for text in (text for found in by_message.values() for text in found):
            languages[tuple(words(text))].add(label)
    for label, by_message in texts.items():
        seen = set()
        for message in sorted(by_message):
            kept = []
            for text in by_message[message]:
                known = tuple(words(text))
                if known not in seen and (label == ENGLISH or languages[known] == {label}):
                    kept.append(text)
                seen.add(known)
            by_message[message] = kept


def groups(messages: Iterable[str]) -> dict[str, str]:
    """A name for each message; messages with a phrase in common have the same."""
    parents: dict[str, str] = {}

    def top(message: str) -> str:
        while parents[message] != message:
            message = parents[message]
        return message

    first: dict[tuple[str, ...], str] = {}
    for message in sorted(messages):
        parents[message] = message
        known = words(NO_TEXT.sub(" ", message))
        length = min(PHRASE_WORDS, len(known))
        for start in range(len(known) - length + 1):
            other = first.setdefault(tuple(known[start : start + length]), message)
            low, high = sorted((top(other), top(message)))
            parents[high] = low
    return {message: top(message) for message in parents}


def split_of(group: str) -> str:
    """Drawn by the digest of its name: in no order, from no seed."""
    drawn = int(hashlib.sha256(group.encode()).hexdigest(), 16) % 100
    if drawn < TEST_PERCENT:
        return "test"
    return "validation" if drawn < TEST_PERCENT + VALIDATION_PERCENT else "train"


def main() -> None:
    """Write the three files, or stop where a text stands in two of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", help="Django's wheel")
    parser.add_argument("folder", type=Path, help="where train.tsv, validation.tsv and test.tsv go")
    asked = parser.parse_args()
    texts = read_catalogues(asked.wheel)
    drop_ambiguous(texts)
    named = groups({message for by_message in texts.values() for message in by_message})
    rows: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for label in sorted(texts):
        for message, found in sorted(texts[label].items()):
            split = split_of(named[message])
            whole = found if split == "train" else [text for text in found if len(words(text)) >= LEAST_WORDS]
            kept = [run for text in whole for run in runs(text)] if split == "train" else whole
            rows[split] += [(text, label) for text in kept]
    rows["train"] = list(dict.fromkeys(rows["train"]))  # runs repeat
    taken = defaultdict(set)  # a run may read the same in two languages, or as a whole text of another split
    for split, found in rows.items():
        for text, label in found:
            taken[tuple(words(text))].add((label, split))
    rows["train"] = [row for row in rows["train"] if len(taken[tuple(words(row[0]))]) == 1]
    known = {split: {tuple(words(text)) for text, _ in rows[split]} for split in rows}
    shared = known["train"] & known["test"] | known["train"] & known["validation"] | known["validation"] & known["test"]
    if shared:
        sys.exit(f"{len(shared)} texts stand in two splits, so nothing was written: {sorted(shared)[:3]}")
    asked.folder.mkdir(parents=True, exist_ok=True)
    for split, found in sorted(rows.items()):
        with (asked.folder / f"{split}.tsv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
            writer.writerows([("text", "language"), *found])
        print(f"{split}: {len(found):,} rows of {len(texts)} languages")


if __name__ == "__main__":
    main()
