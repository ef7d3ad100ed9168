"""Which rows a calibration reads, and in which calls: as they were drawn, of one label, or spoiled on purpose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.artifacts.signature import SEQUENCE_AXIS, Signature
from temper.data.encoded import Split, collate, row_lengths
from temper.errors import DataError
from temper.tasks.task import task_of

Tokens = npt.NDArray[np.int64]

TOKEN_IDS = "input_ids"  # transformers' name
# What one call may hold bounds the memory of its activations: a matrix product is at full speed from about these on.
TOKENS_PER_CALL = 256
PIXELS_PER_CALL = 2**18  # of all channels


def _refused(asked: str, happened: str, fix: str) -> DataError:
    return DataError(asked=asked, happened=happened, affected="this calibration cache; nothing was written", fix=fix)


def _with_tokens(split: Split, change: Callable[[Tokens, np.random.Generator], Tokens], seed: int) -> Split:
    """The rows with other token ids; each row has a generator of its own, so more samples change no earlier row."""
    changed = [change(row, np.random.default_rng((seed, n))) for n, row in enumerate(split.inputs[TOKEN_IDS])]
    return replace(split, inputs={**split.inputs, TOKEN_IDS: changed})


def _special_ids(known: Any) -> list[int]:
    return [id_ for id_, token in known.get_added_tokens_decoder().items() if token.special]


def _random_ids(tokenizer: Path) -> Callable[[Tokens, np.random.Generator], Tokens]:
    from tokenizers import Tokenizer

    known = Tokenizer.from_file(str(tokenizer))
    special = _special_ids(known)
    ordinary = np.setdiff1d(np.fromiter(known.get_vocab().values(), np.int64), special)

    def change(row: Tokens, generator: np.random.Generator) -> Tokens:
        return np.where(np.isin(row, special), row, generator.choice(ordinary, len(row)))

    return change


def _digits_as_text(tokenizer: Path) -> Callable[[Tokens, np.random.Generator], Tokens]:
    """Rows that hold the pixels of handwritten digits as numbers, '0 0 5 13 …', from a drawn image's first pixel on."""
    from sklearn.datasets import load_digits
    from tokenizers import Tokenizer

    known = Tokenizer.from_file(str(tokenizer))
    known.no_truncation()
    special = _special_ids(known)
    numbers = load_digits().data.astype(np.int64)
    written = known.encode_batch([" ".join(map(str, image)) for image in numbers.tolist()], add_special_tokens=False)
    images = [np.asarray(text.ids, np.int64) for text in written]
    if any(np.isin(image, special).all() for image in images):  # all of nothing is true too
        raise _refused(
            "calibrate on handwritten digits as text",
            f"{tokenizer.name} has no tokens for numbers",
            "give the calibration other rows (docs/params.md lists them)",
        )

    def change(row: Tokens, generator: np.random.Generator) -> Tokens:
        changed, ordinary = row.copy(), ~np.isin(row, special)
        ids = np.empty(0, np.int64)
        while len(ids) < ordinary.sum():  # a row longer than one image goes on with another
            ids = np.concatenate([ids, images[generator.integers(len(images))]])
        changed[ordinary] = ids[: ordinary.sum()]
        return changed

    return change


def _shuffled(row: Tokens, generator: np.random.Generator) -> Tokens:
    return np.concatenate([row[:1], generator.permutation(row[1:-1]), row[-1:]]) if len(row) > 1 else row


def choose(
    split: Split, signature: Signature, *, rows: str | Mapping[str, str], samples: int, seed: int, tokenizer: Path
) -> Split:
    """The first `samples` rows of the calibration split, as the calibration's `rows` wants them.

    Args:
        rows: `drawn`; `random_ids`: ordinary tokens replaced by uniformly drawn ones; `shuffled_tokens`: in random order
            between the first and the last; `digits_as_text`: ordinary tokens replaced by the pixels of handwritten digits,
            as numbers; `{label: name}`: the split's rows of that label.
        seed: of the study.
        tokenizer: tokenizer.json, which says what the vocabulary is; read for random_ids and digits_as_text.

    Raises:
        DataError: no such label, too few rows, one row over and over, or no tokens for numbers.
    """
    asked, whose = f"calibrate on {samples} samples", ""
    if not isinstance(rows, str):
        label = rows["label"]
        if label not in signature.label_names:
            raise _refused(
                f"calibrate on rows of the label {label!r}",
                f"the labels are {', '.join(signature.label_names)}",
                "name one of these in the calibration's rows: {label: …}",
            )
        task = task_of(signature.labels)
        chosen = task.rows_with(split.labels, signature.label_names.index(label))
        own = (
            np.flatnonzero(chosen) if split.places is None or split.groups is None else np.unique(split.groups[chosen])
        )
        split = split.take(own)
        whose = f" of the label {label!r}"
    if samples > len(split):
        raise _refused(
            asked,
            f"the calibration split has {len(split)} rows{whose}",
            "lower the row's samples or raise data.calibration_rows",
        )
    split = split.take(np.arange(samples))
    if rows == "random_ids":
        split = _with_tokens(split, _random_ids(tokenizer), seed)
    elif rows == "shuffled_tokens":
        split = _with_tokens(split, _shuffled, seed)
    elif rows == "digits_as_text":
        split = _with_tokens(split, _digits_as_text(tokenizer), seed)
    if samples > 1 and all(np.array_equal(row, values[0]) for values in split.inputs.values() for row in values[1:]):
        raise _refused(
            asked,
            f"all {samples} rows are the same, so they are one sample ({split.texts[0][:60]!r})",
            "look at the data the calibration split is drawn from (data:), and at the calibration's rows",
        )
    return split


def _groups(split: Split, signature: Signature, together: bool) -> list[list[int]]:
    """Positions of the rows of each call; rows share one only where their shapes are equal."""
    if not together:
        return [[row] for row in range(len(split))]
    if any(SEQUENCE_AXIS in spec.axes for spec in signature.inputs):
        sizes, most = row_lengths(split, signature), TOKENS_PER_CALL
    else:
        sizes = np.asarray([row.size for row in split.inputs[signature.inputs[0].name]], np.int64)
        most = PIXELS_PER_CALL
    groups = []
    for size in np.unique(sizes):
        rows, share = np.flatnonzero(sizes == size).tolist(), max(1, most // max(1, int(size)))
        groups += [rows[start : start + share] for start in range(0, len(rows), share)]
    return groups


class Calls(Sequence[Any]):
    """The calls of a calibration, Tensors each, made when they are asked for: only one is in memory at a time.

    No row is ever padded: padding would count as activations.
    """

    def __init__(self, split: Split, signature: Signature, *, together: bool) -> None:
        self._split, self._signature = split, signature
        self._groups = _groups(split, signature, together)

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[call] for call in range(*index.indices(len(self)))]
        return collate(self._split, self._groups[index], self._signature, sequence_length=None)
