"""The checkpoint of a new study, loaded as a run would load it and asked: how many tokens it takes, what its classifier reads."""

import contextlib
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.artifacts.signature import Signature
from temper.data.encoding import Preprocessor
from temper.data.image_preprocessing import ImagePreprocessor
from temper.data.prepare import one_by_one
from temper.data.preprocessing import build_preprocessor
from temper.data.source import Splits
from temper.studies.checkpoint import Checkpoint
from temper.studies.create import CHECKPOINT, UNBOUNDED, standing_in
from temper.studies.fixed_token import why_not
from temper.study.sections.model import CheckpointModel
from temper.tasks.task import USUAL, task_of
from temper.training.model import asked_of, unprobed_model
from temper.training.padding import hide_padding, most_answered

MULTIPLE = 8  # lengths are rounded up to it


@dataclass(frozen=True)
class Lengths:
    """Tokens of the texts.

    longest: of a text; no more than the model takes.
    takes: what the model takes at most, where that was found to be less than anybody would ask for; else UNBOUNDED.
    most: what 19 of 20 texts have at most.
    cut: texts that are longer than the model takes.
    """

    longest: int
    takes: int
    most: int
    cut: int

    @property
    def most_asked(self) -> int:
        """The most that may be asked for: twice the longest text, within what the model takes."""
        return min(self.takes, _most_asked(self.longest))


@dataclass(frozen=True)
class Loaded:
    """A checkpoint that was loaded.

    tokenizer_folder: where its preprocessor was saved.
    notes: what loading said, such as which token pads where the tokenizer has none for it.
    """

    options: CheckpointModel
    network: Any
    preprocessor: Preprocessor
    signature: Signature
    tokenizer_folder: Path
    notes: list[str]

    @property
    def weight_bytes(self) -> int:
        """Of the network in FP32."""
        return sum(4 * tensor.numel() for tensor in self.network.parameters())


def _most_asked(longest: int) -> int:
    return max(longest, 3) * 2 + MULTIPLE


@contextlib.contextmanager
def loaded_model(
    folder: Path, checkpoint: Checkpoint, splits: Splits, *, labels: str, trained: bool
) -> Iterator[Loaded]:
    """Load the checkpoint as a run would: one without weights, or with other labels, is refused here.

    Args:
        folder: of the study, which has a copy of it.
        checkpoint: what its config.json says.
        splits: the rows; their labels are the study's.
        labels: the study's task.
        trained: whether fine-tuning may begin a classifier.

    Raises:
        ArtifactError: a run would stop at it.
    """
    options = CheckpointModel(task=checkpoint.task, source="checkpoint", checkpoint=CHECKPOINT, revision=None)
    from transformers.utils import logging

    logging.disable_progress_bar()  # a second's work, in the middle of what was found
    said = io.StringIO()
    with tempfile.TemporaryDirectory(prefix="temper-preprocessor.") as scratch:
        with standing_in(folder):
            with contextlib.redirect_stdout(said):
                preprocessor = build_preprocessor(options, splits.train)
            preprocessor.save(scratch)
            signature = preprocessor.signature(splits.label_names)
            if labels != USUAL:
                update = {"labels": labels, "answers_at": task_of(labels).ANSWERS_AT}
                signature = signature.model_copy(update=update)
            with contextlib.redirect_stdout(io.StringIO()):  # what lasts is said on the terminal as well
                network = unprobed_model(options, signature, Path(scratch), fresh_head=trained)
        yield Loaded(options, network, preprocessor, signature, Path(scratch), said.getvalue().splitlines())


def measure_texts(model: Loaded, splits: Splits) -> Lengths:
    """Tokens of all texts by the checkpoint's own tokenizer, and how many of them the network itself answers.

    Raises:
        DataError: a text holds a token that the network has no embedding for.
    """
    parts = [part for part in (splits.train, splits.validation, splits.test) if part]
    if getattr(task_of(model.signature.labels), "PAIRS", False):
        parts = [one_by_one(part) for part in parts]
    encoded = [model.preprocessor.encode(part, UNBOUNDED) for part in parts]
    lengths = sorted(length for part in encoded for length in part.token_lengths)
    stated = model.preprocessor.max_tokens(UNBOUNDED) or UNBOUNDED
    most = min(stated, _most_asked(lengths[-1]))
    takes = most_answered(model.network, model.signature, model.tokenizer_folder, most)
    beyond = sum(length > takes for length in lengths) if takes < most else sum(part.truncated_rows for part in encoded)
    return Lengths(
        longest=min(lengths[-1], takes),
        takes=stated if takes == most else takes,
        most=min(lengths[max(0, -(-len(lengths) * 19 // 20) - 1)], takes),
        cut=beyond,
    )


def check_images(model: Loaded, splits: Splits, folder: Path) -> None:
    """Look whether all images have one size once they are processed, as a run would see when it encodes them.

    Args:
        model: what was loaded.
        splits: images by their paths in the study's folder.
        folder: of the study.

    Raises:
        DataError: the image processor leaves them in several sizes.
    """
    assert isinstance(model.preprocessor, ImagePreprocessor)
    if model.preprocessor.resizes:
        return
    with standing_in(folder):
        for part in (splits.train, splits.validation, splits.test):
            if part is not None:
                model.preprocessor.check_sizes(part)


def rounded(length: int, most: int) -> int:
    """A length rounded up, as batches are padded; at most `most`."""
    return min(-(-length // MULTIPLE) * MULTIPLE, most)


def check_model(model: Loaded, max_tokens: int | None) -> str | None:
    """Probe the network's padding as a run would.

    Args:
        model: what was loaded.
        max_tokens: longest row of the study; None for images.

    Returns:
        Why the model of texts cannot have the recipe's row of one token (temper/studies/fixed_token.py); None where it can.

    Raises:
        ArtifactError: a run would stop at it.
    """
    longest = model.preprocessor.max_tokens(max_tokens)
    hide_padding(model.network, model.signature, model.tokenizer_folder, longest, asked_of(model.options))
    return why_not(model.network, model.signature) if longest is not None else None
