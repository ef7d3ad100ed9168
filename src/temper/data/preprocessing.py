"""Texts or images into model inputs: the tokenizer or image processor that the `model:` section asks for."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from temper.artifacts.signature import BATCH_AXIS, SEQUENCE_AXIS, Signature, TensorSpec
from temper.data.columns import NOTHING_WRITTEN, list_rows
from temper.data.encoding import Encoded, Preprocessor, first_tokens, save_files
from temper.data.examples import Examples
from temper.data.image_preprocessing import ImagePreprocessor, first_image, fit_channels
from temper.errors import ArtifactError, ConfigError, DataError
from temper.reading.bounded import no_panic, why_not_ordinary
from temper.study.sections.model import (
    ArchitectureModel,
    CheckpointModel,
    ImageProcessorOptions,
    ModelOptions,
    TokenizerOptions,
)

SPECIAL_TOKENS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
PROBE_TIMEOUT_S = 10.0
LONGEST_SANE = 1_000_000  # transformers writes 1e30 where a tokenizer states no length


class TextPreprocessor:
    """A fast tokenizer of transformers.

    longest: the model's own limit in tokens, None where it states none.
    tables: by input, for how many numbers the model has an embedding; an input that is not there may hold any.
    """

    def __init__(self, tokenizer: Any, longest: int | None, tables: Mapping[str, int] | None = None) -> None:
        self._tokenizer = tokenizer
        self._tables = tables or {}
        own = tokenizer.model_max_length
        limits = [limit for limit in (longest, own if own < LONGEST_SANE else None) if limit is not None]
        self._longest = min(limits, default=None)

    def max_tokens(self, asked: int | None) -> int | None:
        assert asked is not None  # text sources require it
        return asked if self._longest is None else min(asked, self._longest)

    def encode(self, examples: Examples, max_tokens: int | None, *, words: bool = False) -> Encoded:
        """See Preprocessor.

        Raises:
            DataError: max_tokens leaves no room beside the special tokens, or a row has a number beyond a table of the model.
        """
        assert examples.texts is not None
        limit = self.max_tokens(max_tokens)
        columns = [list(column) for column in zip(*examples.texts, strict=True)]
        special = self._tokenizer.num_special_tokens_to_add(pair=len(columns) == 2)
        if limit is None or limit < special + len(columns):
            raise DataError(
                asked=f"cut the rows of {examples.origin} to {limit} tokens",
                happened=f"{special} special tokens and {len(columns)} text(s) need at least {special + len(columns)}",
                affected=NOTHING_WRITTEN,
                fix="raise data.max_tokens in params.yaml",
            )
        try:
            with no_panic():
                batch = self._tokenizer(*columns, truncation="longest_first", max_length=limit, padding=False)
        except Exception as error:  # a tokenizer.json may say what its library cannot do
            raise DataError(
                asked=f"make tokens of the rows of {examples.origin}",
                happened=f"the tokenizer failed: {type(error).__name__}: {str(error).strip()[:400]}",
                affected=NOTHING_WRITTEN,
                fix="use a checkpoint whose tokenizer.json is whole, as its library wrote it",
            ) from None
        for name, rows in self._tables.items():
            self._check_numbers(examples, name, batch.get(name, []), rows)
        lengths = [len(ids) for ids in batch["input_ids"]]
        return Encoded(
            inputs={
                name: [np.asarray(row, np.int64) for row in batch[name]] for name in self._tokenizer.model_input_names
            },
            token_lengths=lengths,
            truncated_rows=sum(bool(encoding.overflowing) for encoding in batch.encodings),
            rows_without_tokens=sum(length <= special for length in lengths),
            places=[first_tokens(*row) for row in zip(columns[0], batch.encodings, strict=True)] if words else None,
        )

    def _check_numbers(self, examples: Examples, name: str, values: Sequence[Sequence[int]], rows: int) -> None:
        beyond = [row for row, numbers in enumerate(values) if max(numbers, default=0) >= rows]
        if not beyond:
            return
        number = max(values[beyond[0]])
        if name == "input_ids":
            what = f"the token {self._tokenizer.convert_ids_to_tokens(number)!r} has number {number:,}"
            fix = (
                "call model.resize_token_embeddings(len(tokenizer)) where the tokens were added, train them, and save the model "
                "again; or take them out of the tokenizer's files"
            )
        else:
            what = f"the second text has {name} {number}"
            fix = (
                "name one column in data.text; or leave it out of model_input_names of tokenizer_config.json, where the model "
                "was trained without it"
            )
        raise DataError(
            asked=f"encode {examples.origin} for the model",
            happened=f"{what}, and the model has an embedding for {rows:,}, from 0 on: {list_rows(beyond)}",
            affected=NOTHING_WRITTEN,
            fix=fix,
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
        save_files(self._tokenizer, "text-classification", folder)


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
            ),
            first_image(examples.images),
        )
    raise ConfigError(
        asked=f"preprocess for {options.task} with model.preprocessor.kind: {wanted.kind}",
        happened="a tokenizer serves texts and an image_processor serves images",
        affected="the whole study; nothing was started",
        fix="make model.task and model.preprocessor.kind agree in params.yaml",
    )


def _refused(options: CheckpointModel, happened: str, fix: str) -> ArtifactError:
    asked, affected = f"load the preprocessor of checkpoint {options.checkpoint}", "this study; nothing was written"
    return ArtifactError(asked=asked, happened=happened, affected=affected, fix=fix)


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


def _images(options: CheckpointModel, processor: Any, config: Any, train: Examples) -> ImagePreprocessor:
    channels = getattr(config, "num_channels", None)
    why = fit_channels(processor, channels if isinstance(channels, int) else None)
    if why is not None:
        raise _refused(options, *why)
    return ImagePreprocessor(processor, first_image(train.images))


def _checkpoint(options: CheckpointModel, train: Examples) -> Preprocessor:
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
                processor = AutoImageProcessor.from_pretrained(name, backend="pil", **trusted)
            else:
                remote = get_tokenizer_config(name, **trusted).get("auto_map")
                tokenizer = AutoTokenizer.from_pretrained(name, **trusted)
                lacking = [each for each in tokenizer.model_input_names if each not in tokenizer("a")]
                if lacking:
                    raise ValueError(
                        f"its tokenizer_config.json names the input {lacking[0]!r}, which no tokenizer gives"
                    )
                if "input_ids" not in tokenizer.model_input_names:
                    raise ValueError(
                        f"its tokenizer_config.json names the inputs {', '.join(tokenizer.model_input_names) or 'none'}, and "
                        "not input_ids: no text would reach the model"
                    )
    except Exception as error:  # transformers and the Rust tokenizers each raise their own kinds
        remote_code = "; it needs code of its own, which is never run here" if "remote_code" in str(error) else ""
        raise _refused(
            options,
            f"{type(error).__name__}: {str(error).strip()[:400]}{remote_code}",
            "use a checkpoint that transformers' own classes load, with all its files",
        ) from error
    if not text:
        return _images(options, processor, config, train)
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
    tables = _tables(config)
    added = len(tokenizer) - tables.get("input_ids", len(tokenizer))
    if added > 0:
        print(f"{name}: {added:,} tokens of its tokenizer have no embedding; a text that holds one cannot be answered")
    return TextPreprocessor(tokenizer, getattr(config, "max_position_embeddings", None), tables)


def _tables(config: Any) -> dict[str, int]:
    """For how many numbers a model has an embedding, by input, as its configuration says it."""
    text = config.get_text_config() if config is not None else None
    sizes = {"input_ids": "vocab_size", "token_type_ids": "type_vocab_size"}
    found = {name: getattr(text, key, None) for name, key in sizes.items()}
    return {name: size for name, size in found.items() if isinstance(size, int) and size > 0}


def build_preprocessor(options: ModelOptions, train: Examples) -> Preprocessor:
    """The preprocessor of the `model:` section; a tokenizer that has to be trained is trained on `train`.

    Raises:
        ArtifactError: the checkpoint is absent, out of reach, broken, or needs code of its own.
        ConfigError: the preprocessor does not suit the task.
    """
    return _architecture(options, train) if isinstance(options, ArchitectureModel) else _checkpoint(options, train)
