"""A checkpoint's folder, as its config.json describes it, for a study that is to be made from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from temper.errors import ArtifactError, ConfigError
from temper.studies.hub import name_of
from temper.study.sections.model import Task
from temper.training.checkpoint_config import read_config, remote_code
from temper.training.checkpoint_head import NAMES_FIX, Head, compared, head_of
from temper.training.checkpoint_kind import foreign
from temper.training.pooling import MODULES, pooling_files

NOT_MADE = "nothing: no study was made"
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

    head: what its head answers; of its names those count that are of a classifier.
    attends: whether the network has attention, as the transformers have and convolutional networks have not.
    files: names of the files that a study needs, with where each is.
    pools: whether sentence-transformers' modules.json says how its tokens become an embedding.
    """

    folder: Path
    model_type: str
    task: Task
    head: Head
    attends: bool
    files: dict[str, Path]
    pools: bool = False

    @property
    def name(self) -> str:
        """What a person calls it."""
        return name_of(self.folder)

    @property
    def kind(self) -> str | None:
        """The task whose answers its head gives (temper/tasks/); None where it classifies nothing, or as none of them does."""
        return None if self.head.task is None else self.head.labels

    def names_for(self, labels: str) -> list[str] | None:
        """In the order of its outputs; None where it has no head of a task."""
        return list(self.head.names) if self.kind == labels else None

    @property
    def label_names(self) -> list[str] | None:
        """In the order of the model's outputs; None where the checkpoint has no classifier of rows with one label each."""
        return None if self.head.task is None or self.head.unlike is not None else list(self.head.names)


def _refused(folder: Path, happened: str, fix: str) -> ArtifactError:
    return ArtifactError(
        asked=f"make a study of the checkpoint {folder}", happened=happened, affected=NOT_MADE, fix=fix
    )


def inspect_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint's config.json; weights and tokenizer are loaded later, by the code that a run uses.

    Raises:
        ArtifactError: it is no folder that transformers saved, or for neither texts nor images.
    """
    other = foreign(folder) if folder.exists() else None
    if other is not None:
        raise _refused(folder, f"it is {other.what}", other.cure)
    if not folder.is_dir():
        raise _refused(
            folder,
            "there is no such folder",
            "correct --model: the folder of a checkpoint, or a name on the hub",
        )
    try:
        config = read_config(folder / "config.json")
        model_type = str(config["model_type"])
        architectures = [str(name) for name in config.get("architectures") or []]
        try:
            head = head_of(config)
        except ValueError as error:
            raise _refused(folder, str(error), NAMES_FIX) from None
        files = _files(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refused(
            folder,
            "there is no config.json in it"
            if isinstance(error, FileNotFoundError)
            else f"its config.json cannot be read ({type(error).__name__}: {error})",
            "name the folder that transformers' save_pretrained wrote",
        ) from None
    code = remote_code(config)
    if code is not None:  # here, and not after half a minute of loading
        raise _refused(
            folder,
            f"its config.json asks for remote code ({code})",
            "use an architecture that transformers itself has; Temper never runs code that comes with weights",
        )
    guessed = [task for name, task in _PREPROCESSING.items() if (folder / name).is_file()]
    if head.task is None and not guessed:
        raise _refused(
            folder,
            f"it is a {', '.join(architectures) or model_type} without a tokenizer or an image processor",
            "put tokenizer.json and tokenizer_config.json, or preprocessor_config.json, beside its weights",
        )
    return Checkpoint(
        folder=folder,
        model_type=model_type,
        task=head.task or guessed[0],
        head=head,
        attends=any("attention_head" in key or key == "n_head" or key == "n_heads" for key in config),
        files=dict(sorted(files.items())),
        pools=MODULES in files,
    )


def _files(folder: Path) -> dict[str, Path]:
    """What a study needs: the folder's own files, and what sentence-transformers says of pooling, which may lie above."""
    found = {path.name: path for path in folder.iterdir() if path.is_file() and path.suffix in _SUFFIXES}
    return {**pooling_files(folder), **found}


def match_labels(checkpoint: Checkpoint, values: Sequence[str], given: list[str] | None) -> list[str] | None:
    """Label names for a study, in the order of the model's outputs.

    Args:
        checkpoint: with a head of the study's task.
        values: distinct labels of the data, as it writes them.
        given: names that were given for the data, in the order of the outputs.

    Returns:
        The names as the data writes them; None where it is not certain which output is which label, so somebody has to say
        it: the checkpoint has no names of its own, or the data has numbers that may begin at 0 or at 1.

    Raises:
        ConfigError: the labels of checkpoint and data differ.
    """
    own = list(checkpoint.head.names)
    outputs = compared(own)
    if given is not None:
        known = all(value in given for value in values) or are_outputs(values, len(given))
        if len(given) != len(own) or not known or _other_places(checkpoint.head, given):
            raise labels_differ(checkpoint, given)
        return given
    spelled = dict(zip(compared(values), values, strict=True))
    if spelled.keys() <= set(outputs):
        return [spelled.get(name, own[place]) for place, name in enumerate(outputs)]
    if are_outputs(values, len(own)):
        return own
    uncertain = checkpoint.head.names_nothing or all(value.isdecimal() for value in values)
    if uncertain and len(values) <= len(own):
        return None
    raise labels_differ(checkpoint, values)


def labels_differ(checkpoint: Checkpoint, names: Sequence[str]) -> ConfigError:
    """The labels of checkpoint and data are not the same."""
    shown = ", ".join(map(repr, names[:12])) + (", …" if len(names) > 12 else "")
    return ConfigError(
        asked=f"make a study of {checkpoint.name} and this data",
        happened=f"the checkpoint has the labels {', '.join(map(repr, checkpoint.head.names))}, the data has {shown}",
        affected=NOT_MADE,
        fix="give the data the checkpoint's names or the numbers of its outputs (0 for the first); or, where they mean the "
        "same, --label-names: the data's labels in the order of the checkpoint's; or --fine-tune yes, which trains a "
        "classifier for the data's labels",
    )


def _other_places(head: Head, given: Sequence[str]) -> bool:
    """Whether a given name is the checkpoint's name of another output."""
    own = compared(head.names)
    return not head.names_nothing and any(
        name in own and own.index(name) != place for place, name in enumerate(compared(given))
    )


def are_outputs(values: Sequence[str], count: int) -> bool:
    """Whether all values are certainly numbers of outputs: without a 0 among them they may as well count from 1."""
    return "0" in values and all(value in map(str, range(count)) for value in values)
