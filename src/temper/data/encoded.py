"""Encoded splits on disk and as padded batches. NumPy and PyArrow only: every measurement reads its rows here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.artifacts.manifest import read_manifest, write_manifest
from temper.artifacts.signature import SEQUENCE_AXIS, Signature, Tensors, TensorSpec
from temper.data.columns import codes
from temper.data.examples import Examples
from temper.errors import ArtifactError
from temper.tasks.task import task_of

ATTENTION_MASK = "attention_mask"  # transformers' name
Rows = Sequence[int] | npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of one split.

    labels: of each answer, of the type that the task has: int64 of labels. An answer is a row's, or a word's.
    texts: one string per row; the texts of a pair are joined by a tab; empty for images.
    inputs: by input name, one array per row: int64 [tokens] (unpadded) or float32 [channels, height, width].
    groups: number of what each answer belongs to, int64 [answers]: a row's query, a word's row; None: each stands for itself.
    places: by row, int64 [words]: the token by which each word is answered; None: rows are answered.
    """

    labels: npt.NDArray[Any]
    texts: list[str]
    inputs: Mapping[str, Sequence[npt.NDArray[Any]]]
    groups: npt.NDArray[np.int64] | None = None
    places: Sequence[npt.NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        """Rows."""
        return len(next(iter(self.inputs.values())))

    def take(self, rows: Rows) -> "Split":
        """The given rows, in the given order."""
        chosen = np.asarray(rows, dtype=np.int64)
        places = None if self.places is None else [self.places[row] for row in chosen]
        answers, groups = chosen, self.groups
        if self.places is not None and places is not None:
            starts = np.cumsum([0, *map(len, self.places)])
            answers = np.concatenate([np.arange(starts[row], starts[row + 1]) for row in chosen])
            groups = np.repeat(np.arange(len(chosen)), [len(each) for each in places])
        elif groups is not None:
            groups = groups[chosen]
        inputs = {name: [values[row] for row in chosen] for name, values in self.inputs.items()}
        texts = [self.texts[row] for row in chosen]
        return Split(labels=self.labels[answers], texts=texts, inputs=inputs, groups=groups, places=places)


def _is_sequence(spec: TensorSpec) -> bool:
    return SEQUENCE_AXIS in spec.axes


def _sequence_input(signature: Signature) -> str | None:
    """Name of an input whose rows differ in length (all such inputs agree in it); None for images."""
    return next((spec.name for spec in signature.inputs if _is_sequence(spec)), None)


NO_ANSWER = -100  # in the place of a token's label: PyTorch's losses leave it out
PREPROCESSOR_FOLDER = "preprocessor"  # below prepared data: one name for what has other files in each task


def split_files(name: str) -> tuple[str, ...]:
    """What a job reads that reads a split of prepared data: its rows, its manifest, and the signature they are encoded for."""
    return f"{name}.parquet", f"{name}.json", "signature.json"


def write_split_manifest(folder: str | Path, name: str, *, max_tokens: int | None) -> None:
    """Write <name>.json beside a split: who reads one split depends on no other, and on nothing that the data card says.

    Args:
        max_tokens: longest row that the model is given; None for images.
    """
    rows, manifest, signature = split_files(name)
    facts = {"split": name, "max_tokens": max_tokens}
    write_manifest(Path(folder) / manifest, kind="split", facts=facts, files=(rows, signature))


def check_split(folder: str | Path, name: str) -> dict[str, Any]:
    """Check a split and its signature against the digests of their maker; return what its manifest says: max_tokens.

    Raises:
        ArtifactError: they are not the files that were prepared.
    """
    return read_manifest(Path(folder) / split_files(name)[1], kind="split")


def write_split(
    path: str | Path, examples: Examples, inputs: Mapping[str, Sequence[npt.NDArray[Any]]], signature: Signature
) -> None:
    """Write one split as Parquet; equal rows give equal bytes.

    Columns: row (int64, from 0), text (string), label (of the task's type; of each token where words are answered, NO_ANSWER
    where none is), group (int64, where rows have one), and per
    model input a list: of varying length for text, of fixed length (the flattened pixels) for images.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = ["\t".join(row) for row in examples.texts] if examples.texts is not None else [""] * len(examples)
    columns: dict[str, Any] = {
        "row": pa.array(range(len(examples)), pa.int64()),
        "text": pa.array(texts, pa.string()),
        "label": _label_column(examples.labels, signature),
    }
    if examples.groups is not None:
        columns["group"] = pa.array(codes(examples.groups), pa.int64())
    for spec in signature.inputs:
        rows = inputs[spec.name]
        values = pa.array(np.concatenate([row.ravel() for row in rows]).astype(spec.dtype, copy=False))
        if _is_sequence(spec):
            offsets = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int32)
            columns[spec.name] = pa.ListArray.from_arrays(pa.array(offsets), values)
        else:
            columns[spec.name] = pa.FixedSizeListArray.from_arrays(values, rows[0].size)
    pq.write_table(pa.table(columns), path, compression="zstd")


def _label_column(labels: Sequence[Any], signature: Signature) -> Any:
    import pyarrow as pa

    kind = task_of(signature.labels).LABEL_TYPE
    if signature.answers_at is None:
        return pa.array(np.asarray(labels, dtype=kind))
    offsets = np.cumsum([0, *map(len, labels)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(labels).astype(kind)))


def _read_labels(column: Any, signature: Signature) -> dict[str, Any]:
    """Labels, and of words their places and rows."""
    kind = task_of(signature.labels).LABEL_TYPE
    if signature.answers_at is None:
        return {"labels": np.array(np.from_dlpack(column), dtype=kind)}
    values, bounds = np.from_dlpack(column.values), np.from_dlpack(column.offsets).tolist()
    rows = [values[start:end] for start, end in pairwise(bounds)]
    places = [np.flatnonzero(row != NO_ANSWER) for row in rows]
    labels = np.concatenate([row[own] for row, own in zip(rows, places, strict=True)]).astype(kind)
    return {"labels": labels, "places": places, "groups": np.repeat(np.arange(len(rows)), [len(own) for own in places])}


def read_split(path: str | Path, signature: Signature) -> Split:
    """Read what `write_split` wrote.

    Raises:
        ArtifactError: the file is absent, is no Parquet, or lacks an input of the signature.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # neither `pq.read_table` nor `to_numpy`: both import pandas, a third of a second in each worker
        with pq.ParquetFile(path) as file:
            table = file.read()
        inputs: dict[str, Sequence[npt.NDArray[Any]]] = {}
        for spec in signature.inputs:
            column = table.column(spec.name).combine_chunks()
            values: Any = np.from_dlpack(column.values).astype(spec.dtype, copy=False)
            if _is_sequence(spec):
                bounds = np.from_dlpack(column.offsets).tolist()
                inputs[spec.name] = [values[start:end] for start, end in pairwise(bounds)]
            else:
                inputs[spec.name] = values.reshape(len(table), *spec.axes[1:])
        answered = _read_labels(table.column("label").combine_chunks(), signature)
        if "group" in table.column_names:
            groups = np.array(np.from_dlpack(table.column("group").combine_chunks()), dtype=np.int64)
            answered = {"groups": groups, **answered}  # words are of one row first
        return Split(texts=table.column("text").to_pylist(), inputs=inputs, **answered)
    except (OSError, KeyError, ValueError, AttributeError, pa.ArrowException) as error:
        raise ArtifactError(
            asked=f"read the encoded split {path}",
            happened=f"{type(error).__name__}: {str(error).strip()[:300]}",
            affected="everything that is computed from this split",
            fix="temper sync: puts it back from DVC's cache, or moves it out of the way for the next run to make anew",
        ) from error


def _lengths(split: Split, rows: Rows, name: str) -> npt.NDArray[np.int64]:
    values = split.inputs[name]
    return np.fromiter((len(values[row]) for row in rows), dtype=np.int64, count=len(rows))


def row_lengths(split: Split, signature: Signature) -> npt.NDArray[np.int64]:
    """Length of every row in tokens, int64 [rows]; 1 for inputs without a sequence."""
    name = _sequence_input(signature)
    return np.ones(len(split), dtype=np.int64) if name is None else _lengths(split, range(len(split)), name)


def collate(split: Split, rows: Rows, signature: Signature, *, sequence_length: int | None) -> Tensors:
    """One batch as the model takes it.

    Args:
        rows: positions in the split, in the batch's order; at least one.
        sequence_length: tokens per row: shorter rows are padded on the signature's side, longer ones lose their last
            tokens. None pads to the longest of these rows. Images ignore it.

    Returns:
        C-contiguous arrays in the signature's dtypes, by input name.
    """
    tensors: dict[str, npt.NDArray[Any]] = {}
    for spec in signature.inputs:
        values = split.inputs[spec.name]
        if not _is_sequence(spec):
            tensors[spec.name] = np.ascontiguousarray([values[row] for row in rows], dtype=spec.dtype)
            continue
        length = int(_lengths(split, rows, spec.name).max()) if sequence_length is None else sequence_length
        batch = np.full((len(rows), length), spec.pad_value, dtype=spec.dtype)
        for position, row in enumerate(rows):
            kept = values[row][:length]
            if signature.padding_side == "right":
                batch[position, : len(kept)] = kept
            else:
                batch[position, length - len(kept) :] = kept
        tensors[spec.name] = batch
    return tensors


def padding_share(split: Split, rows: Rows, signature: Signature, sequence_length: int | None) -> float:
    """Share of the batch's positions that are padding, 0 to 1 (0 for images); `sequence_length` as in `collate`."""
    name = _sequence_input(signature)
    if name is None:
        return 0.0
    lengths = _lengths(split, rows, name)
    length = int(lengths.max()) if sequence_length is None else sequence_length
    return 1.0 - float(np.minimum(lengths, length).sum()) / (len(rows) * length)


def answers_in(split: Split, rows: Rows, logits: npt.NDArray[Any], signature: Signature) -> npt.NDArray[Any]:
    """What of a call's logits are answers, [answers, labels]: of rows all, of words those of their tokens.

    Args:
        split: what was asked.
        rows: of the call, in its order; rows that fill it up may follow.
        logits: [rows, labels], or [rows, tokens, labels] on the signature's padding side. A word beyond the tokens has zeros.
        signature: of the model.
    """
    if split.places is None:
        return logits[: len(rows)]
    length, name = logits.shape[1], _sequence_input(signature)
    found = []
    for number, row in enumerate(rows):
        assert name is not None
        places = split.places[row]
        before = 0 if signature.padding_side == "right" else max(0, length - len(split.inputs[name][row]))
        own = np.zeros((len(places), logits.shape[2]), dtype=logits.dtype)
        within = places + before < length
        own[within] = logits[number, places[within] + before]
        found.append(own)
    return np.concatenate(found)


def labels_of(split: Split, rows: Rows, signature: Signature) -> npt.NDArray[Any]:
    """Labels of some rows as a loss takes them: [rows], or of words [rows, longest of them] with NO_ANSWER elsewhere."""
    if split.places is None:
        return np.asarray(split.labels[rows])
    name = _sequence_input(signature)
    assert name is not None
    lengths, starts = _lengths(split, rows, name), np.cumsum([0, *map(len, split.places)])
    found = np.full((len(rows), int(lengths.max())), NO_ANSWER, dtype=split.labels.dtype)
    for number, row in enumerate(rows):
        before = 0 if signature.padding_side == "right" else int(lengths.max() - lengths[number])
        found[number, split.places[row] + before] = split.labels[starts[row] : starts[row + 1]]
    return found


def unpadded(logits: npt.NDArray[Any], tensors: Tensors, signature: Signature) -> npt.NDArray[Any]:
    """A call's logits as [answers, labels]: of rows as they are, of tokens those that are no padding, row by row."""
    if signature.answers_at is None:
        return logits
    return np.asarray(logits[tensors[ATTENTION_MASK].astype(bool)])


def answer_numbers(split: Split, signature: Signature) -> npt.NDArray[np.int64] | slice:
    """Which of `unpadded`'s logits of all rows are answers: of rows all, of words those of their tokens."""
    if split.places is None:
        return slice(None)
    starts = np.cumsum([0, *row_lengths(split, signature)])
    return np.concatenate([own + start for own, start in zip(split.places, starts, strict=False)])
