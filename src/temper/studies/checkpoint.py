"""A checkpoint's folder, as its config.json describes it, for a study that is to be made from it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.errors import ArtifactError, ConfigError
from temper.model_options import Task

NOT_MADE = "nothing: no study was made"
_HEADS: dict[str, Task] = {
    "ForSequenceClassification": "text-classification",
    "ForImageClassification": "image-classification",
}
_PREPROCESSING: dict[str, Task] = {
    "tokenizer_config.json": "text-classification",
    "tokenizer.json": "text-classification",
    "preprocessor_config.json": "image-classification",
}
# what transformers reads of a checkpoint; weights of other formats are left where they are
_SUFFIXES = (".json", ".safetensors", ".txt", ".model")


@dataclass(frozen=True)
class Checkpoint:
    """What config.json says.

    label_names: in the order of the model's outputs; None where the checkpoint has no classifier.
    names_are_numbers: whether they are transformers' own LABEL_0, LABEL_1, …
    attends: whether the network has attention, as the transformers have and convolutional networks have not.
    files: names of the files that a study needs.
    """

    folder: Path
    model_type: str
    task: Task
    label_names: list[str] | None
    attends: bool
    files: list[str]

    @property
    def names_are_numbers(self) -> bool:
        return self.label_names == [f"LABEL_{number}" for number in range(len(self.label_names or []))]


def _refused(folder: Path, happened: str, fix: str) -> ArtifactError:
    return ArtifactError(asked=f"make a study of the checkpoint {folder}", happened=happened, spoiled=NOT_MADE, fix=fix)


def inspect_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint's config.json; weights and tokenizer are loaded later, by the code that a run uses.

    Raises:
        ArtifactError: it is no folder that transformers saved, or for neither texts nor images.
    """
    if not folder.is_dir():
        raise _refused(
            folder,
            "there is no such folder",
            "correct --checkpoint; a model of the hub has to be saved to a folder first (save_pretrained), or named in "
            "model.checkpoint of a params.yaml of your own",
        )
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        model_type = str(config["model_type"])
        architectures = [str(name) for name in config.get("architectures") or []]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refused(
            folder,
            f"its config.json cannot be read ({type(error).__name__}: {error})",
            "name the folder that transformers' save_pretrained wrote",
        ) from None
    heads = [task for ending, task in _HEADS.items() if any(name.endswith(ending) for name in architectures)]
    guessed = [task for name, task in _PREPROCESSING.items() if (folder / name).is_file()]
    if not heads and not guessed:
        raise _refused(
            folder,
            f"it is a {', '.join(architectures) or model_type} without a tokenizer or an image processor",
            "put tokenizer.json and tokenizer_config.json, or preprocessor_config.json, beside its weights",
        )
    names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}  # as transformers has it where nothing is said
    return Checkpoint(
        folder=folder,
        model_type=model_type,
        task=(heads or guessed)[0],
        label_names=[str(names[key]) for key in sorted(names, key=int)] if heads else None,
        attends=any("attention_head" in key or key == "n_head" or key == "n_heads" for key in config),
        files=sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix in _SUFFIXES),
    )


def match_labels(checkpoint: Checkpoint, values: Sequence[str], given: list[str] | None) -> list[str] | None:
    """Label names for a study, in the order of the model's outputs.

    Args:
        checkpoint: with a classifier.
        values: distinct labels of the data, as it writes them.
        given: names that were given for the data, in the order of the outputs.

    Returns:
        The names as the data writes them; None where the checkpoint has no names and the data has: somebody has to say
        their order.

    Raises:
        ConfigError: the labels of checkpoint and data differ.
    """
    own = checkpoint.label_names
    assert own is not None
    data = ", ".join(map(repr, values[:12])) + (", …" if len(values) > 12 else "")
    differ = ConfigError(
        asked=f"make a study of {checkpoint.folder.name} and this data",
        happened=f"the checkpoint has the labels {', '.join(map(repr, own))}, the data has "
        f"{data if given is None else ', '.join(map(repr, given))}",
        spoiled=NOT_MADE,
        fix="give the data the checkpoint's names or the numbers of its outputs (0 for the first); or correct id2label in "
        "its config.json where they mean the same; or --fine-tune yes, which trains a classifier for the data's labels",
    )
    if given is not None:
        same = [name.lower() for name in given] == [name.lower() for name in own]
        if len(given) != len(own) or not (same or checkpoint.names_are_numbers) or not _known(values, given):
            raise differ
        return given
    spelled = {value.lower(): value for value in values}
    if spelled.keys() <= {name.lower() for name in own}:
        return [spelled.get(name.lower(), name) for name in own]
    if _known(values, []) and max(map(int, values)) < len(own):
        return own
    if checkpoint.names_are_numbers and len(values) <= len(own):
        return None
    raise differ


def _known(values: Sequence[str], names: list[str]) -> bool:
    """Whether all values are names, or all are numbers of outputs."""
    count = len(names) or 10**6
    return all(value in names for value in values) or all(value.isdecimal() and int(value) < count for value in values)
