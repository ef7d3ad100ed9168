"""Inputs through the study's own preprocessing and the artifact on its backend: labels and probabilities."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from temper.artifacts.manifest import MANIFESTS, read_manifest
from temper.artifacts.signature import BATCH_AXIS, PREPROCESSOR_FILES, SEQUENCE_AXIS, Signature, read_signature
from temper.backends.opening import open_artifact
from temper.backends.runner import Runner
from temper.data.columns import list_rows
from temper.data.encoded import PREPROCESSOR_FOLDER, Split, row_lengths
from temper.data.encoding import Encoded
from temper.data.examples import Examples
from temper.data.prepare import one_by_one
from temper.environment.memory import memory_reason
from temper.errors import ArtifactError, BackendError, ConfigError, DataError
from temper.measurement.accuracy import predict
from temper.measurement.task import signature_of
from temper.orchestration.jobs import run_command
from temper.prediction.choice import Choice
from temper.prediction.preprocessing import Preprocessing
from temper.prediction.rows import by_row
from temper.prediction.tokens import light_tokenizer
from temper.tasks.task import task_of

DATA_FOLDER = "data/prepared"
NOTHING = "nothing was predicted"


class Encodes(Protocol):
    """Turns examples into model inputs."""

    def encode(self, examples: Examples, max_tokens: int | None, *, words: bool = False) -> Encoded:
        """As of `temper.data.encoding.Preprocessor`."""
        ...


@dataclass(frozen=True)
class Prepared:
    """The study's preprocessing.

    max_tokens: longest row in tokens, None for images.
    """

    signature: Signature
    preprocessor: Encodes
    max_tokens: int | None


@dataclass(frozen=True, eq=False)
class Answers:
    """What the artifact answered.

    probabilities: float64 [rows, number of labels], as the study's task has them: of one label of several the softmax.
    labels: of each row in words.
    confidences: that each row's label is right, by the model's own word, float64 [rows].
    cut_rows: rows, from 0, that were longer than the study's max_tokens or than the artifact takes.
    notes: what was done otherwise than asked, in words.
    load_s, answer_s: seconds to load the artifact, and for all calls.
    ran: the backend's own description.
    """

    probabilities: npt.NDArray[np.float64]
    labels: list[str]
    confidences: npt.NDArray[np.float64]
    label_names: tuple[str, ...]
    cut_rows: list[int]
    notes: list[str]
    load_s: float
    answer_s: float
    ran: dict[str, Any]


def check_artifact(choice: Choice) -> dict[str, str]:
    """SHA-256 of the artifact's files by name, which are those that were measured.

    Raises:
        ArtifactError: a file is not what its manifest says, or not what the candidate's record was taken of.
    """
    measured = choice.record.artifact
    assert measured is not None  # every record that `measure` writes has one
    kind, folder = measured.loads.partition("/")[0], Path("artifacts", measured.loads)
    missing = [name for name in (*measured.files_sha256, MANIFESTS[kind]) if not (folder / name).is_file()]
    if missing:
        raise ArtifactError(
            asked=f"predict with {folder}, as {choice.candidate} measured it",
            happened=f"{folder / missing[0]} is not there",
            affected=NOTHING,
            fix=f"{run_command()}: makes it anew",
        )
    manifest = read_manifest(folder / MANIFESTS[kind], kind={"engines": "engine"}.get(kind, kind))
    files = {name: str(facts["sha256"]) for name, facts in manifest["files"].items()}
    if files != measured.files_sha256:
        other = sorted(
            name for name in files | measured.files_sha256 if files.get(name) != measured.files_sha256.get(name)
        )
        raise ArtifactError(
            asked=f"predict with {folder}, as {choice.candidate} measured it",
            happened=f"it was made anew since: {', '.join(other)} differ from what the record was taken of",
            affected=f"{NOTHING}: its accuracy and speed are another artifact's",
            fix=f"finish the study, which measures it: {run_command()}",
        )
    return files


def preprocessing(files: Mapping[str, str]) -> Preprocessing:
    """The study's preprocessing, which is that of the artifact's files. Nothing of it is loaded.

    Args:
        files: SHA-256 of the artifact's files by name.

    Raises:
        ArtifactError: it is not as the study's data was prepared, or the artifact came with another one.
    """
    folder = Path(DATA_FOLDER)
    read_manifest(folder / "data_card.json", kind="data", verify=["signature.json"])
    signature = read_signature(folder / "signature.json")
    own = {f"{PREPROCESSOR_FOLDER}/{name}": name for name in PREPROCESSOR_FILES[signature.task]}
    card = read_manifest(folder / "data_card.json", kind="data", verify=own)
    listed = {name: card["files"][path]["sha256"] for path, name in own.items()}
    other = [name for name, digest in listed.items() if files.get(name, digest) != digest]
    if other:
        raise ArtifactError(
            asked="preprocess as the artifact's study does",
            happened=f"{', '.join(other)} of the artifact and of {folder} differ",
            affected=NOTHING,
            fix="finish the study: its data was prepared anew after the artifact was made",
        )
    return Preprocessing(signature, folder / PREPROCESSOR_FOLDER, card["max_tokens"])


def prepared(files: Mapping[str, str], texts_per_row: int = 1) -> Prepared:
    """The study's preprocessing, loaded: of texts without transformers, where that gives the tokens that it gave.

    Args:
        files: SHA-256 of the artifact's files by name.
        texts_per_row: 1, or 2 for pairs.

    Raises:
        ArtifactError: as `preprocessing`.
    """
    how = preprocessing(files)
    preprocessor: Encodes | None = None
    if how.max_tokens is not None and how.signature.answers_at is None:  # where words stand, transformers' own says
        preprocessor = light_tokenizer(Path(DATA_FOLDER), how.signature, how.max_tokens, texts_per_row)
    return Prepared(how.signature, preprocessor or how.preprocessor(), how.max_tokens)


def _truncated(how: Prepared, examples: Examples, encoded: Encoded) -> list[int]:
    """Rows that were longer than max_tokens: of those that fill it, the ones that are cut alone, too."""
    if not encoded.truncated_rows:
        return []
    full = [row for row, length in enumerate(encoded.token_lengths) if length == max(encoded.token_lengths)]
    return [row for row in full if how.preprocessor.encode(examples.take([row]), how.max_tokens).truncated_rows]


def _profile(runner: Runner) -> str:
    """What sizes a loaded runner takes, in words: 'batch_size 1 to 8, sequence_length 8 to 32'."""
    limits = ", ".join(f"{axis} {low} to {high}" for axis, (low, high) in runner.limits().items())
    shapes = runner.describe().get("profiles")
    return f"{limits} (its profiles: {shapes})" if shapes else limits


def _call_size(runner: Runner, choice: Choice, longest: int, *, asked: int, strict: bool) -> list[str]:
    """Whether calls of this many rows fit; what is said where they are cut.

    Raises:
        ConfigError: they do not, and `strict` wants them as they were asked for.
    """
    low, high = runner.limits().get(BATCH_AXIS, (1, asked))
    has_length = SEQUENCE_AXIS in runner.limits()
    sizes = {BATCH_AXIS: max(asked, low)} | (  # fewer rows are filled up
        {SEQUENCE_AXIS: min(longest, runner.limits()[SEQUENCE_AXIS][1])} if has_length else {}
    )
    if asked <= high and runner.fits(sizes):
        return []
    assert choice.record.artifact is not None
    happened = f"{choice.record.artifact.loads} takes {_profile(runner)}"
    if strict:
        raise ConfigError(
            asked=f"predict {asked} rows of up to {longest} tokens in a call with {choice.candidate}",
            happened=happened,
            affected=NOTHING,
            fix="a smaller --batch-size; or leave out --strict, and they are cut into calls that fit",
        )
    return [f"calls of {asked} rows were cut into calls that fit: {happened}"]


def _strictly(rows: list[int], total: int, limit: str) -> None:
    if rows:
        raise DataError(
            asked=f"predict {total:,} row{'s' if total > 1 else ''}, none of them cut (--strict)",
            happened=f"longer than {limit}: {list_rows(rows)}",
            affected=NOTHING,
            fix="shorten them, or leave out --strict: they are cut, and named",
        )


def answer(
    choice: Choice, files: dict[str, str], how: Prepared, examples: Examples, *, batch_size: int | None, strict: bool
) -> Answers:
    """Predict.

    Args:
        choice: the candidate.
        files: what `check_artifact` found.
        how: the study's preprocessing.
        examples: texts or images.
        batch_size: rows of a call; None: as many as when the accuracy was measured.
        strict: refuse rows that would be cut, and calls that do not fit.

    Raises:
        DataError: an image cannot be read; with `strict`, a row is too long.
        ConfigError: with `strict`, a call does not fit.
        BackendError: the artifact cannot be loaded, memory ran out, or an answer is not a number.
        Unavailable: this machine lacks what the backend needs.
    """
    pairs = getattr(task_of(how.signature.labels), "PAIRS", False)
    examples = one_by_one(examples) if pairs else examples
    encoded = how.preprocessor.encode(examples, how.max_tokens, words=how.signature.answers_at is not None)
    cut = _truncated(how, examples, encoded)
    if strict:
        _strictly(cut, len(examples), f"the study's {how.max_tokens} tokens")
    notes = [f"longer than the study's {how.max_tokens} tokens, and cut: {list_rows(cut)}"] if cut else []
    places = None if encoded.places is None else [own[own >= 0] for own in encoded.places]
    split = Split(labels=np.zeros(len(examples), dtype=np.int64), texts=[], inputs=encoded.inputs, places=places)
    lengths = row_lengths(split, how.signature)
    backend = choice.record.backend
    size = batch_size or int(choice.record.measurement["accuracy_batch_size"])
    assert choice.record.artifact is not None
    folder = f"artifacts/{choice.record.artifact.loads}"
    started = time.perf_counter()
    try:
        with open_artifact(backend["runner"], folder, backend["options"], backend["library_version"]) as runner:
            loaded = time.perf_counter()
            if batch_size is not None:  # else calls are those that the accuracy was measured with
                asked = min(batch_size, len(examples))
                notes += _call_size(runner, choice, int(lengths.max()), asked=asked, strict=strict)
            high = runner.limits().get(SEQUENCE_AXIS, (1, None))[1] if how.max_tokens is not None else None
            too_long = [] if high is None else np.flatnonzero(lengths > high).tolist()
            if strict:
                _strictly(too_long, len(examples), f"the artifact takes: {_profile(runner)}")
            if too_long:
                notes.append(f"longer than the {high} tokens that the artifact takes, and cut: {list_rows(too_long)}")
            logits = predict(runner, split, how.signature, batch_size=size).logits
            ran = runner.describe()
            ended = time.perf_counter()
    except Exception as error:
        reason = memory_reason(error)
        if reason is None:
            raise
        raise _cannot(choice, f"out of memory: {reason}", "a smaller --batch-size") from None
    if not np.isfinite(logits).all():
        bad = np.flatnonzero(~np.isfinite(logits).all(axis=1)).tolist()
        raise _cannot(
            choice,
            f"the answers to {list_rows(bad)} are not numbers",
            "another candidate, with --candidate; FP16 files overflow where values are too large for them",
        )
    decided, names = signature_of(folder, how.signature), how.signature.label_names
    found = by_row(logits, decided, examples, encoded.places)
    return Answers(
        probabilities=found.probabilities,
        labels=found.labels,
        confidences=found.confidences,
        label_names=names,
        cut_rows=sorted({row // 2 if pairs else row for row in (*cut, *too_long)}),
        notes=notes,
        load_s=loaded - started,
        answer_s=ended - loaded,
        ran=ran,
    )


def _cannot(choice: Choice, happened: str, fix: str) -> BackendError:
    backend = choice.record.backend["name"]
    return BackendError(
        asked=f"predict with {choice.candidate} on {backend}", happened=happened, affected=NOTHING, fix=fix
    )
