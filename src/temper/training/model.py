"""A transformers model for a study: from a checkpoint, or an architecture with seeded random weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import read_document
from temper.artifacts.signature import Signature, read_signature
from temper.errors import ArtifactError, ConfigError
from temper.reading.bounded import no_panic, why_not_ordinary
from temper.study.sections.model import ArchitectureModel, CheckpointModel, ModelOptions, Task
from temper.tasks.task import task_of
from temper.training.checkpoint_config import read_config, remote_code
from temper.training.checkpoint_head import FUNCTIONS, NAMES_FIX, fix_of, head_of
from temper.training.checkpoint_sizes import SIZES_FIX, why_larger_than_weights, why_more_than_weights
from temper.training.labels import check_labels, keeps_head
from temper.training.padding import count_positions, hide_padding
from temper.training.pooling import pooled
from temper.training.weights import load_whole

_SPOILED = "the checkpoint, and everything made from it; nothing was written"


def _auto_class(task: Task, labels: str | None) -> Any:
    import transformers

    return getattr(transformers, task_of(labels).NETWORKS[task])


def _refuse_unsafe(folder: Path, asked: str) -> None:
    """Refuse what would run foreign code while loading: pickles, and modelling code that comes with the weights."""
    if not folder.is_dir():
        raise ArtifactError(
            asked=asked,
            happened=f"the folder {folder} does not exist",
            affected=_SPOILED,
            fix="copy the checkpoint there (temper raw -C studies/… does it for the studies of this repository), "
            "or name a model of the hub in model.checkpoint",
        )
    config = folder / "config.json"
    if not config.is_file():
        raise ArtifactError(
            asked=asked,
            happened=f"{config} does not exist",
            affected=_SPOILED,
            fix="give a folder that transformers saved",
        )
    try:
        content = read_config(config)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            asked=asked, happened=f"{config} cannot be read: {error}", affected=_SPOILED, fix="restore the file"
        ) from None
    code = remote_code(content)
    if code is not None:
        raise ArtifactError(
            asked=asked,
            happened=f"{config} asks for remote code ({code})",
            affected=_SPOILED,
            fix="use an architecture that transformers itself has; Temper never runs code that comes with weights",
        )
    if not any(folder.glob("*.safetensors")):
        pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(pattern))
        raise ArtifactError(
            asked=asked,
            happened=f"no *.safetensors in {folder}"
            + (f", only {', '.join(pickles)}: pickles run code" if pickles else ""),
            affected=_SPOILED,
            fix="save it again with model.save_pretrained(folder, safe_serialization=True) where you trust it",
        )
    why = why_not_ordinary(folder)
    if why is not None:
        raise ArtifactError(asked=asked, happened=why, affected=_SPOILED, fix="put the file itself there, or remove it")
    why = why_larger_than_weights(folder, content)
    if why is not None:
        raise ArtifactError(asked=asked, happened=why, affected=_SPOILED, fix=SIZES_FIX)


def _is_local(checkpoint: str) -> bool:
    """A path rather than a hub name: hub names are 'name' or 'owner/name', and no such folder is here."""
    return Path(checkpoint).exists() or checkpoint.count("/") > 1 or checkpoint.startswith((".", "/", "~"))


@contextmanager
def _without_its_table() -> Iterator[None]:
    """Without transformers' table of the tensors that fit nowhere, which load_whole says in a line, or refuses."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _load(task: Task, labels: str | None, checkpoint: str, asked: str, **arguments: Any) -> tuple[Any, dict[str, Any]]:
    import torch

    load: Callable[..., tuple[Any, dict[str, Any]]] = _auto_class(task, labels).from_pretrained
    try:
        with no_panic(), _without_its_table():
            return load(
                checkpoint,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                **arguments,
            )
    except Exception as error:  # transformers, safetensors and the hub client raise many types
        raise _unreadable(checkpoint, asked, error) from None


def _unreadable(checkpoint: str, asked: str, error: Exception) -> ArtifactError:
    return ArtifactError(
        asked=asked,
        happened=f"{type(error).__name__}: {str(error).strip()[:400]}",
        affected=_SPOILED,
        fix="restore the checkpoint's files; a truncated safetensors file cannot be read"
        if _is_local(checkpoint)
        else "check the name and the network, or save the model to a folder and name that in model.checkpoint",
    )


def load_checkpoint(folder: str | Path, task: Task) -> Any:
    """The model of a checkpoint folder that this study made, float32, in evaluation mode; it keeps no keys and values.

    Raises:
        ArtifactError: the folder cannot be loaded.
    """
    asked = f"load the checkpoint {folder}"
    _refuse_unsafe(Path(folder), asked)
    signature = read_signature(Path(folder) / "signature.json")
    model, _ = _load(task, signature.labels, str(folder), asked)
    model.config.use_cache = False  # nothing follows a classification that would read them
    if getattr(task_of(signature.labels), "HEADLESS", False):
        pooled(model, str(folder))
    count_positions(model, signature)
    return model.eval()


def initial_model(
    options: ModelOptions, signature: Signature, tokenizer_folder: Path, *, longest: int | None, fresh_head: bool
) -> Any:
    """The model that training starts from.

    Args:
        options: the `model:` section.
        signature: inputs and label names of the prepared data.
        tokenizer_folder: preprocessor/ of prepared data; an architecture trained from scratch takes its vocabulary from there.
        longest: most tokens of a row of the prepared data; None for images.
        fresh_head: whether a checkpoint without a classifier of these labels gets a new one (fine-tuning), or is
            refused (it is to be used as it is). One that has these labels in this order keeps its own.

    Raises:
        ArtifactError: the checkpoint cannot be loaded, its labels are not the data's, or its padding changes its answers.
        ConfigError: the architecture is unknown, or its sizes contradict each other.
    """
    model = unprobed_model(options, signature, tokenizer_folder, fresh_head=fresh_head)
    hide_padding(model, signature, tokenizer_folder, longest, asked_of(options))
    return model


def asked_of(options: ModelOptions) -> str:
    """What is asked for where a model is made, for errors."""
    if isinstance(options, ArchitectureModel):
        return f"make a {options.model_type} for {options.task}"
    return f"load the checkpoint {options.checkpoint}"


def unprobed_model(options: ModelOptions, signature: Signature, tokenizer_folder: Path, *, fresh_head: bool) -> Any:
    """The model of `initial_model` before its padding is looked at; `hide_padding` has to follow."""
    if isinstance(options, ArchitectureModel):
        return _from_architecture(options, signature, tokenizer_folder)
    return _from_checkpoint(options, signature, fresh_head=fresh_head)


def _label_arguments(signature: Signature) -> dict[str, Any]:
    problem = None if signature.labels is None else task_of(signature.labels).PROBLEM_TYPE
    return {
        "num_labels": len(signature.label_names),
        "id2label": dict(enumerate(signature.label_names)),
        "label2id": {name: number for number, name in enumerate(signature.label_names)},
        **({} if problem is None else {"problem_type": problem}),
    }


def _from_architecture(options: ArchitectureModel, signature: Signature, tokenizer_folder: Path) -> Any:
    from transformers import CONFIG_MAPPING

    asked = asked_of(options)
    affected = "this job; no model was trained"
    if options.model_type not in CONFIG_MAPPING:
        raise ConfigError(
            asked=asked,
            happened=f"transformers knows no model_type {options.model_type!r}",
            affected=affected,
            fix="use transformers' own name, such as distilbert, bert, gpt2, resnet, vit",
        )
    arguments = {**options.config, **_label_arguments(signature)}
    if options.task == "text-classification":
        tokenizer = read_document(tokenizer_folder / "tokenizer.json")
        added = [token["id"] for token in tokenizer["added_tokens"]]
        tokens = max([*tokenizer["model"]["vocab"].values(), *added]) + 1
        stated = arguments["vocab_size"] = options.config.get("vocab_size", tokens)
        if not isinstance(stated, int) or stated < tokens:
            raise ConfigError(
                asked=asked,
                happened=f"model.config.vocab_size is {stated!r}, and the tokenizer has {tokens:,} tokens",
                affected=affected,
                fix="raise it, remove it (then it is the tokenizer's), or lower model.preprocessor.vocabulary_size",
            )
        arguments["pad_token_id"] = signature.inputs[0].pad_value
    try:
        config = CONFIG_MAPPING[options.model_type](**arguments)
        config.architectures = config.architectures or []  # where several classes answer (DeiT), the first
        model = _auto_class(options.task, signature.labels).from_config(config)
    except Exception as error:  # each configuration class checks its sizes its own way
        raise ConfigError(
            asked=asked,
            happened=f"{type(error).__name__}: {str(error).strip()[:300]}",
            affected=affected,
            fix="correct model.config in params.yaml; its keys are the arguments of the configuration class",
        ) from None
    unknown = sorted(key for key in options.config if key not in CONFIG_MAPPING[options.model_type]().to_dict())
    if unknown:
        raise ConfigError(
            asked=asked,
            happened=f"model.config has keys that the {options.model_type} configuration lacks: {', '.join(unknown)}",
            affected=affected,
            fix="correct them in params.yaml; transformers would have ignored them in silence",
        )
    return model


def _config_of(options: CheckpointModel, asked: str) -> dict[str, Any]:
    """config.json of a checkpoint, of a folder or of the hub, as it was saved."""
    from transformers import PreTrainedConfig

    try:
        content, _ = PreTrainedConfig.get_config_dict(options.checkpoint, revision=options.revision or "main")
    except Exception as error:  # the hub client's errors share no base class
        raise _unreadable(options.checkpoint, asked, error) from None
    return dict(content)


def _from_checkpoint(options: CheckpointModel, signature: Signature, *, fresh_head: bool) -> Any:
    asked = f"load the checkpoint {options.checkpoint} with {len(signature.label_names)} labels"
    if _is_local(options.checkpoint):
        _refuse_unsafe(Path(options.checkpoint), asked)
        why = why_more_than_weights(Path(options.checkpoint), _auto_class(options.task, signature.labels))
        if why is not None:
            raise ArtifactError(asked=asked, happened=why, affected=_SPOILED, fix=SIZES_FIX)
    config = _config_of(options, asked)
    try:
        head = head_of(config)
    except ValueError as error:
        raise ArtifactError(asked=asked, happened=str(error), affected=_SPOILED, fix=NAMES_FIX) from None
    revision = {"revision": options.revision} if options.revision is not None else {}
    load = partial(_load, options.task, signature.labels, options.checkpoint, asked, **revision)
    if not fresh_head:
        why = head.unlike_task(signature.labels)
        if why is not None:
            raise ArtifactError(
                asked=asked, happened=why, affected=_SPOILED, fix=fix_of("set train.method to fine_tune")
            )
        if getattr(task_of(signature.labels), "HEADLESS", False):
            return pooled(load_whole(load, asked, new_head=False, any_head=True), options.checkpoint)
        model = load_whole(load, asked, new_head=False, any_head=False)
        check_labels(model, signature, asked)
        model.config.id2label = dict(enumerate(signature.label_names))
        model.config.label2id = {name: number for number, name in enumerate(signature.label_names)}
        return model
    kept = keeps_head(head, signature, asked)
    arguments = {**_label_arguments(signature), "ignore_mismatched_sizes": True}
    if config.get("problem_type") is not None:
        arguments["problem_type"] = task_of(signature.labels).PROBLEM_TYPE
    model = load_whole(load, asked, new_head=not kept, any_head=True, **arguments)
    for key in FUNCTIONS if not kept else ():  # of the head that is no more
        if hasattr(model.config, key):
            delattr(model.config, key)
    return model
