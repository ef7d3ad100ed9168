"""A data source into fixed, encoded splits with their preprocessor, signature and data card."""

import hashlib
import importlib
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from temper.artifacts.manifest import staged_folder, write_manifest, write_text
from temper.data.columns import NOTHING_WRITTEN, list_rows
from temper.data.encoded import NO_ANSWER, PREPROCESSOR_FOLDER, write_split, write_split_manifest
from temper.data.encoding import Encoded, Preprocessor
from temper.data.examples import Examples
from temper.data.preprocessing import build_preprocessor
from temper.data.source import SourceOptions, Splits
from temper.errors import DataError
from temper.study.sections.model import model_options
from temper.tasks.task import USUAL, Task, task_of

LIBRARIES = ("pyarrow", "tokenizers", "transformers")  # beside those of the source
SPLITS = ("train", "validation", "test", "calibration")


def _error(examples: Examples, happened: str, fix: str) -> DataError:
    return DataError(asked=f"use {examples.origin}", happened=happened, affected=NOTHING_WRITTEN, fix=fix)


def check_examples(examples: Examples, task: str) -> None:
    """Check that rows can be learned from or measured on.

    Raises:
        DataError: texts for an image task or the reverse, no rows, an empty text, or a NUL character in a text.
    """
    holds = "images" if examples.images is not None else "texts"
    if (holds == "images") != (task == "image-classification"):
        raise _error(
            examples,
            f"it holds {holds}, and model.task is {task}",
            "choose a data.source that suits model.task in params.yaml",
        )
    if not len(examples):
        raise _error(examples, "it has no rows", "point params.yaml at data that has rows")
    for row, texts in enumerate(examples.texts or []):
        if any("\0" in text for text in texts):
            raise _error(examples, f"the text of row {row + 1} holds a NUL character", "remove it from the data")
    empty = [row for row, texts in enumerate(examples.texts or []) if not all(text.strip() for text in texts)]
    if empty:
        raise _error(
            examples,
            f"the text is empty in {list_rows(empty)}",
            "remove these rows, or fill them; if a field before is to blame, check data.quoting",
        )


def draw_splits(splits: Splits, options: SourceOptions, seed: int) -> dict[str, tuple[Examples, list[int]]]:
    """The four splits by name, each with the rows of its source split that it consists of.

    Validation rows leave train; calibration rows are drawn from what is left of it, and stay in it, in
    the order they were drawn: a calibration on fewer samples reads the first ones.

    Raises:
        DataError: train has fewer rows than are to be drawn.
    """
    rows = np.random.default_rng(seed).permutation(len(splits.train))
    validation_rows = 0 if splits.validation is not None else (options.validation_rows or 0)
    remaining = len(splits.train) - validation_rows
    if remaining < 1 or options.calibration_rows > remaining:
        raise _error(
            splits.train,
            f"it has {len(splits.train):,} rows; {validation_rows:,} validation rows leave train, and "
            f"{options.calibration_rows:,} calibration rows are drawn from the rest",
            "lower data.validation_rows or data.calibration_rows in params.yaml",
        )
    train = np.sort(rows[validation_rows:]).tolist()
    # `rows` is shuffled, so any stretch of it is a fair draw; unsorted, so are its first samples
    calibration = rows[validation_rows : validation_rows + options.calibration_rows].tolist()
    if splits.validation is not None:
        validation = (splits.validation, list(range(len(splits.validation))))
    else:
        validation = (splits.train, np.sort(rows[:validation_rows]).tolist())
    return {
        "train": (splits.train, train),
        "validation": validation,
        "test": (splits.test, list(range(len(splits.test)))),
        "calibration": (splits.train, calibration),
    }


def normalised_rows(examples: Examples) -> list[bytes]:
    """What counts as the same row: words in lower case without punctuation, or (by its digest) an image's exact pixels."""
    if examples.images is not None:
        return [hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest() for image in examples.images]
    return [
        "\t".join(" ".join(re.findall(r"\w+", text.lower())) for text in row).encode() for row in examples.texts or []
    ]


def count_overlap(known: Collection[bytes], other: Examples) -> int:
    """Rows of `other` that are among the known ones, normalised."""
    return sum(row in known for row in normalised_rows(other))


def one_by_one(part: Examples) -> Examples:
    """Each text of a pair as a row of its own, one after the other; which pair they are is their group."""
    texts: list[tuple[str, ...]] = [(text,) for pair in part.texts or [] for text in pair]
    pairs = range(len(texts) // 2)
    labels = [part.labels[pair] for pair in pairs for _ in range(2)]
    return replace(part, texts=texts, labels=labels, groups=[pair for pair in pairs for _ in range(2)])


def with_labels_at_tokens(part: Examples, encoded: Encoded) -> Examples:
    """Rows whose labels of words stand at the first token of each, int64 [tokens], with NO_ANSWER elsewhere.

    Raises:
        DataError: no word of a row has a token.
    """
    assert encoded.places is not None
    found = []
    for row, (labels, places, length) in enumerate(
        zip(part.labels, encoded.places, encoded.token_lengths, strict=True)
    ):
        here = places >= 0
        if not here.any():
            raise _error(part, f"no word of row {row + 1} has a token", "remove the row, or raise data.max_tokens")
        own = np.full(length, NO_ANSWER, dtype=np.int64)
        own[places[here]] = np.asarray(labels, dtype=np.int64)[here]
        found.append(own)
    return replace(part, labels=found)


def _card(
    parts: Mapping[str, Examples],
    encoded: Mapping[str, Encoded],
    label_names: tuple[str, ...],
    max_tokens: int | None,
    task: Task,
) -> dict[str, Any]:
    """What a reader of results has to know about the rows, with warnings in words."""
    splits: dict[str, Any] = {}
    warnings = []
    for name, part in parts.items():
        lengths = encoded[name].token_lengths
        labels = np.concatenate(part.labels) if task.ANSWERS_AT is not None else np.asarray(part.labels)
        counted = [int(task.rows_with(labels, place).sum()) for place in range(len(label_names))]
        tokens = None
        if lengths:
            tokens = {"min": min(lengths), "mean": round(float(np.mean(lengths)), 3), "max": max(lengths)}
        splits[name] = {
            "origin": part.origin,
            "rows": len(part),
            "rows_per_label": {label: counted[index] for index, label in enumerate(label_names)},
            "tokens_per_row": tokens,
            "truncated_rows": encoded[name].truncated_rows,
            "rows_without_tokens": encoded[name].rows_without_tokens,
        }
        if encoded[name].truncated_rows:
            cut = encoded[name].truncated_rows
            warnings.append(f"{name}: {cut:,} of {len(part):,} rows were longer than {max_tokens} tokens and cut")
        if encoded[name].rows_without_tokens:
            warnings.append(f"{name}: {encoded[name].rows_without_tokens:,} rows have no tokens but special ones")
        absent = [label for index, label in enumerate(label_names) if not counted[index]]
        if absent and name != "calibration":
            warnings.append(f"{name}: no rows with the label {', '.join(absent)}")
    known = set(normalised_rows(parts["train"]))  # once: images may have to be read for it
    overlap = {name: count_overlap(known, parts[name]) for name in ("validation", "test")}
    warnings += [
        f"{name}: {count:,} of {len(parts[name]):,} rows also stand in train (case and punctuation aside), so "
        "its accuracy flatters"
        for name, count in overlap.items()
        if count
    ]
    return {"splits": splits, "rows_also_in_train": overlap, "warnings": warnings}


def prepare_data(*, data: Mapping[str, Any], model: Mapping[str, Any], seed: int, folder: str) -> None:
    """Load a source, fix its splits, encode them, and write them with everything that belongs to them.

    Args:
        data: the `data:` section of params.yaml.
        model: the `model:` section.
        seed: draws the splits (and synthetic rows); equal arguments and equal source give equal bytes.
        folder: gets train, validation, test and calibration.parquet, each with a manifest (train.json …), signature.json,
            the preprocessor's files in preprocessor/ and, last, the manifest of all, data_card.json.

    Raises:
        DataError: the source does not hold what the sections say. Nothing is written then.
        ArtifactError: the checkpoint's preprocessor cannot be loaded.
    """
    source = importlib.import_module(f"temper.data.{data['source']}")
    options: SourceOptions = source.Options.model_validate(dict(data))
    checked_model = model_options(model)
    loaded: Splits = source.load(options, seed)
    for examples in (loaded.train, loaded.validation, loaded.test):
        if examples is not None:
            check_examples(examples, checked_model.task)
    drawn = draw_splits(loaded, options, seed)
    parts = {name: examples.take(rows) for name, (examples, rows) in drawn.items()}
    task = task_of(options.labels)
    if getattr(task, "PAIRS", False):
        parts = {name: one_by_one(part) for name, part in parts.items()}
    task.check_labels(parts["train"].labels, parts["train"].origin, loaded.label_names)
    print("rows:", ", ".join(f"{name} {len(part):,}" for name, part in parts.items()), flush=True)

    preprocessor: Preprocessor = build_preprocessor(checked_model, parts["train"])
    signature = preprocessor.signature(loaded.label_names)
    if options.labels not in (None, USUAL):
        signature = signature.model_copy(update={"labels": options.labels, "answers_at": task.ANSWERS_AT})
    words = task.ANSWERS_AT is not None
    encoded = {name: preprocessor.encode(part, options.max_tokens, words=words) for name, part in parts.items()}
    parts = {name: with_labels_at_tokens(part, encoded[name]) if words else part for name, part in parts.items()}
    max_tokens = preprocessor.max_tokens(options.max_tokens)
    card = _card(parts, encoded, loaded.label_names, max_tokens, task)
    card["warnings"] = [*loaded.warnings, *card["warnings"]]
    if max_tokens != options.max_tokens:
        card["warnings"].insert(0, f"the model takes {max_tokens} tokens, fewer than data.max_tokens")
    for warning in card["warnings"]:
        print(f"warning: {warning}", flush=True)

    with staged_folder(folder) as staged:
        for name in SPLITS:
            write_split(staged / f"{name}.parquet", parts[name], encoded[name].inputs, signature)
        preprocessor.save(staged / PREPROCESSOR_FOLDER)
        write_text(staged / "signature.json", signature.as_json())
        for name in SPLITS:
            write_split_manifest(staged, name, max_tokens=max_tokens)
        facts = {"seed": seed, "task": checked_model.task, "max_tokens": max_tokens, "notes": loaded.notes, **card}
        write_manifest(staged / "data_card.json", kind="data", facts=facts)
