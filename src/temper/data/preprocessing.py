"""Texts or images into model inputs: the tokenizer or image processor that the `model:` section asks for."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from temper.artifacts.manifest import canonical_json, copy_files
from temper.artifacts.signature import BATCH_AXIS, PREPROCESSOR_FILES, SEQUENCE_AXIS, Signature, TensorSpec
from temper.data.source import NOTHING_WRITTEN, Examples, Images
from temper.errors import ArtifactError, ConfigError, DataError
from temper.reading.bounded import Unreadable, no_panic, why_not_ordinary
from temper.reading.json_file import read_object
from temper.study.sections.model import (
    ArchitectureModel,
    CheckpointModel,
    ImageProcessorOptions,
    ModelOptions,
    TokenizerOptions,
)

SPECIAL_TOKENS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
PROBE_TIMEOUT_S = 10.0
IMAGES_PER_CALL = 16  # bounds the memory, also for photographs; changes no result
LONGEST_SANE = 1_000_000  # transformers writes 1e30 where a tokenizer states no length
# What transformers adds about the loading itself: paths and flags of this machine, or code that is never run here.
_LOADING_KEYS = ("name_or_path", "is_local", "local_files_only", "auto_map", "processor_class")


@dataclass(frozen=True, eq=False)
class Encoded:
    """Model inputs of some rows.

    inputs: by input name, one array per row: int64 [tokens] for text, float32 [3, height, width] for images.
    token_lengths: tokens per row after cutting; empty for images.
    truncated_rows: rows that were longer than max_tokens.
    rows_without_tokens: rows of which the tokenizer leaves nothing but special tokens.
    """

    inputs: dict[str, list[npt.NDArray[Any]]]
    token_lengths: list[int]
    truncated_rows: int
    rows_without_tokens: int


class Preprocessor(Protocol):
    """Turns examples into model inputs, and saves itself so that transformers' Auto classes load it."""

    def max_tokens(self, asked: int | None) -> int | None:
        """The longest row it will give when `asked` is wanted: the model's own limit caps it. None for images."""
        ...

    def encode(self, examples: Examples, max_tokens: int | None) -> Encoded:
        """Model inputs of all rows, unpadded, cut to max_tokens with the special tokens kept."""
        ...

    def signature(self, label_names: tuple[str, ...]) -> Signature:
        """Names, dtypes and axes of the inputs, in order."""
        ...

    def save(self, folder: str | Path) -> None:
        """Write the task's PREPROCESSOR_FILES, with equal bytes for equal preprocessors and no absolute paths."""
        ...


def _save(preprocessor: Any, task: str, folder: str | Path) -> None:
    with tempfile.TemporaryDirectory(prefix="temper-preprocessor.") as scratch:
        preprocessor.save_pretrained(scratch)
        settings = Path(scratch) / PREPROCESSOR_FILES[task][-1]
        try:
            content = read_object(settings)
        except Unreadable as error:
            raise ArtifactError(
                asked=f"keep the settings of the preprocessor, {settings.name}",
                happened=str(error),
                spoiled=NOTHING_WRITTEN,
                fix=f"correct it in the checkpoint's {settings.name}",
            ) from None
        kept = {key: value for key, value in content.items() if key not in _LOADING_KEYS and not key.endswith("_file")}
        settings.write_text(canonical_json(kept), encoding="utf-8")
        copy_files(PREPROCESSOR_FILES[task], scratch, folder)


class TextPreprocessor:
    """A fast tokenizer of transformers. `longest` is the model's own limit in tokens, None where it states none."""

    def __init__(self, tokenizer: Any, longest: int | None) -> None:
        self._tokenizer = tokenizer
        own = tokenizer.model_max_length
        limits = [limit for limit in (longest, own if own < LONGEST_SANE else None) if limit is not None]
        self._longest = min(limits, default=None)

    def max_tokens(self, asked: int | None) -> int | None:
        assert asked is not None  # text sources require it
        return asked if self._longest is None else min(asked, self._longest)

    def encode(self, examples: Examples, max_tokens: int | None) -> Encoded:
        """See Preprocessor.

        Raises:
            DataError: max_tokens leaves no room beside the special tokens.
        """
        assert examples.texts is not None
        limit = self.max_tokens(max_tokens)
        columns = [list(column) for column in zip(*examples.texts, strict=True)]
        special = self._tokenizer.num_special_tokens_to_add(pair=len(columns) == 2)
        if limit is None or limit < special + len(columns):
            raise DataError(
                asked=f"cut the rows of {examples.origin} to {limit} tokens",
                happened=f"{special} special tokens and {len(columns)} text(s) need at least {special + len(columns)}",
                spoiled=NOTHING_WRITTEN,
                fix="raise data.max_tokens in params.yaml",
            )
        try:
            with no_panic():
                batch = self._tokenizer(*columns, truncation="longest_first", max_length=limit, padding=False)
        except Exception as error:  # a tokenizer.json may say what its library cannot do
            raise DataError(
                asked=f"make tokens of the rows of {examples.origin}",
                happened=f"the tokenizer failed: {type(error).__name__}: {str(error).strip()[:400]}",
                spoiled=NOTHING_WRITTEN,
                fix="use a checkpoint whose tokenizer.json is whole, as its library wrote it",
            ) from None
        lengths = [len(ids) for ids in batch["input_ids"]]
        return Encoded(
            inputs={
                name: [np.asarray(row, np.int64) for row in batch[name]] for name in self._tokenizer.model_input_names
            },
            token_lengths=lengths,
            truncated_rows=sum(bool(encoding.overflowing) for encoding in batch.encodings),
            rows_without_tokens=sum(length <= special for length in lengths),
        )

    def signature(self, label_names: tuple[str, ...]) -> Signature:
        axes, pad_values = (BATCH_AXIS, SEQUENCE_AXIS), {"input_ids": self._tokenizer.pad_token_id}
        inputs = tuple(
            TensorSpec(name=name, dtype="int64", axes=axes, pad_value=pad_values.get(name, 0))
            for name in self._tokenizer.model_input_names
        )
        side = self._tokenizer.padding_side
        return Signature(task="text-classification", inputs=inputs, label_names=label_names, padding_side=side)

    def save(self, folder: str | Path) -> None:
        self._tokenizer.backend_tokenizer.no_truncation()  # encode leaves its last max_length in the file otherwise
        self._tokenizer.backend_tokenizer.no_padding()
        _save(self._tokenizer, "text-classification", folder)


class ImagePreprocessor:
    """An image processor of transformers, on its Pillow backend."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def _pixels(self, images: Images) -> npt.NDArray[np.float32]:
        batch = self._processor(list(images), return_tensors="np", input_data_format="channels_last")
        return np.ascontiguousarray(batch["pixel_values"], dtype=np.float32)

    def max_tokens(self, asked: int | None) -> None:
        return None

    def encode(self, examples: Examples, max_tokens: int | None) -> Encoded:
        assert examples.images is not None
        starts = range(0, len(examples), IMAGES_PER_CALL)
        rows = [row for start in starts for row in self._pixels(examples.images[start : start + IMAGES_PER_CALL])]
        return Encoded(inputs={"pixel_values": rows}, token_lengths=[], truncated_rows=0, rows_without_tokens=0)

    def signature(self, label_names: tuple[str, ...]) -> Signature:
        _, channels, height, width = self._pixels(np.zeros((1, 32, 32, 3), dtype=np.uint8)).shape
        axes = (BATCH_AXIS, channels, height, width)
        inputs = (TensorSpec(name="pixel_values", dtype="float32", axes=axes, pad_value=0),)
        return Signature(task="image-classification", inputs=inputs, label_names=label_names, padding_side="right")

    def save(self, folder: str | Path) -> None:
        _save(self._processor, "image-classification", folder)


def train_tokenizer(options: TokenizerOptions, examples: Examples, model_max_length: int | None) -> Any:
    """Train byte-level BPE on the texts; the same texts give the same bytes in every process.

    Its inputs are input_ids and attention_mask: architectures with token types take zeros for what is not given.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    assert examples.texts is not None
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL_TOKENS["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=options.vocabulary_size,
        special_tokens=list(SPECIAL_TOKENS.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for row in examples.texts for text in row), trainer)
    cls, sep = SPECIAL_TOKENS["cls_token"], SPECIAL_TOKENS["sep_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B:1 {sep}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (cls, sep)],
    )
    settings: dict[str, Any] = {"model_input_names": ["input_ids", "attention_mask"], **SPECIAL_TOKENS}
    if model_max_length is not None:
        settings["model_max_length"] = model_max_length
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **settings)


def _architecture(options: ArchitectureModel, examples: Examples) -> Preprocessor:
    wanted = options.preprocessor
    if isinstance(wanted, TokenizerOptions) and options.task == "text-classification":
        longest = options.config.get("max_position_embeddings", options.config.get("n_positions"))
        return TextPreprocessor(train_tokenizer(wanted, examples, longest), longest)
    if isinstance(wanted, ImageProcessorOptions) and options.task == "image-classification":
        from transformers import ViTImageProcessorPil

        return ImagePreprocessor(
            ViTImageProcessorPil(
                do_resize=True,
                size={"height": wanted.height, "width": wanted.width},
                resample=2,  # Pillow's bilinear
                do_rescale=True,
                rescale_factor=1 / 255,
                do_normalize=True,
                image_mean=list(wanted.mean),
                image_std=list(wanted.std),
            )
        )
    raise ConfigError(
        asked=f"preprocess for {options.task} with model.preprocessor.kind: {wanted.kind}",
        happened="a tokenizer serves texts and an image_processor serves images",
        spoiled="the whole study; nothing was started",
        fix="make model.task and model.preprocessor.kind agree in params.yaml",
    )


def _refused(options: CheckpointModel, happened: str, fix: str) -> ArtifactError:
    asked, spoiled = f"load the preprocessor of checkpoint {options.checkpoint}", "this study; nothing was written"
    return ArtifactError(asked=asked, happened=happened, spoiled=spoiled, fix=fix)


def _reach(options: CheckpointModel) -> None:
    """Find the checkpoint: a folder, or a name that the hub serves within seconds (transformers retries for minutes).

    Raises:
        ArtifactError: neither.
    """
    from huggingface_hub import HfApi, constants

    name = options.checkpoint
    if os.path.isdir(name):
        why = why_not_ordinary(Path(name))
        if why is not None:
            raise _refused(options, why, "put the file itself there, or remove it")
        return
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        happened = f"there is no such folder (paths start at {Path.cwd()})"
        raise _refused(options, happened, "correct model.checkpoint in params.yaml, or put the checkpoint there")
    if constants.HF_HUB_OFFLINE:
        return
    try:
        HfApi().model_info(name, revision=options.revision, timeout=PROBE_TIMEOUT_S)
    except Exception as error:  # the client's errors share no base class
        raise _refused(
            options,
            f"no folder of that name is in {Path.cwd()}, and the hub: {type(error).__name__}: {str(error)[:300]}",
            "put the checkpoint's folder there, correct the name or the network, or set HF_HUB_OFFLINE=1 to use a "
            "copy that was downloaded earlier",
        ) from error


def _checkpoint(options: CheckpointModel) -> Preprocessor:
    _reach(options)
    name, text = options.checkpoint, options.task == "text-classification"
    trusted = {"revision": options.revision or "main", "trust_remote_code": False}
    try:
        with no_panic():
            from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer
            from transformers.models.auto.tokenization_auto import get_tokenizer_config

            has_config = not os.path.isdir(name) or (Path(name) / "config.json").is_file()
            config = AutoConfig.from_pretrained(name, **trusted) if has_config else None
            if not text:
                return ImagePreprocessor(AutoImageProcessor.from_pretrained(name, backend="pil", **trusted))
            remote = get_tokenizer_config(name, **trusted).get("auto_map")
            tokenizer = AutoTokenizer.from_pretrained(name, **trusted)
            lacking = [each for each in tokenizer.model_input_names if each not in tokenizer("a")]
            if lacking:
                raise ValueError(f"its tokenizer_config.json names the input {lacking[0]!r}, which no tokenizer gives")
    except Exception as error:  # transformers and the Rust tokenizers each raise their own kinds
        remote_code = "; it needs code of its own, which is never run here" if "remote_code" in str(error) else ""
        raise _refused(
            options,
            f"{type(error).__name__}: {str(error).strip()[:400]}{remote_code}",
            "use a checkpoint that transformers' own classes load, with all its files",
        ) from error
    # transformers loads something, in silence, in both of these cases: a generic class, and an empty vocabulary.
    if remote and "AutoTokenizer" in (remote if isinstance(remote, dict) else {"AutoTokenizer": remote}):
        happened = f"its tokenizer is code of its own ({remote}), which is never run here (no trust_remote_code)"
        raise _refused(options, happened, "use a checkpoint whose tokenizer is part of transformers")
    if not tokenizer.is_fast or len(tokenizer) <= len(tokenizer.all_special_tokens):
        happened = "no tokenizer.json, nor a vocabulary it could be made from, is there"
        raise _refused(options, happened, "put the tokenizer's files beside the weights")
    if tokenizer.pad_token is None and tokenizer.eos_token is None:
        happened = "its tokenizer has neither a pad token nor an end-of-sequence token, so rows cannot be batched"
        raise _refused(options, happened, "set pad_token in its tokenizer_config.json")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # as is usual for GPT-2; the attention mask hides it
        print(f"{name}: no pad token; its end-of-sequence token {tokenizer.eos_token!r} pads")
    return TextPreprocessor(tokenizer, getattr(config, "max_position_embeddings", None))


def build_preprocessor(options: ModelOptions, train: Examples) -> Preprocessor:
    """The preprocessor of the `model:` section; a tokenizer that has to be trained is trained on `train`.

    Raises:
        ArtifactError: the checkpoint is absent, out of reach, broken, or needs code of its own.
        ConfigError: the preprocessor does not suit the task.
    """
    return _architecture(options, train) if isinstance(options, ArchitectureModel) else _checkpoint(options)
