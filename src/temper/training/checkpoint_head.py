"""What the head of a checkpoint answers, as its config.json says it; nothing heavy is imported and no weight is read.

Temper measures classifiers that give each row one label of several: a softmax over the outputs, of which the largest counts.
What answers otherwise has logits of the same form, so it has to be told by what config.json says (docs/decisions/0054).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.errors import ArtifactError
from temper.study.sections.model import CheckpointModel, ModelOptions, Task
from temper.tasks.task import USUAL, task_of
from temper.training.checkpoint_config import read_config
from temper.training.checkpoint_kind import foreign
from temper.training.checkpoint_sizes import SIZES_FIX, why_larger_than_weights

SEVERAL_LABELS = "multi_label_classification"
_CLASSIFIERS: dict[str, Task] = {
    "ForSequenceClassification": "text-classification",
    "ForImageClassification": "image-classification",
    "ForTokenClassification": "text-classification",
}
_OF_WORDS = "ForTokenClassification"
_WITH_TEACHER = "WithTeacher"
# what transformers' pipelines and sentence-transformers' cross-encoders apply to the outputs where a checkpoint says it
_NESTED = "sentence_transformers"
_NAMED_FUNCTIONS = ("function_to_apply", "sbert_ce_default_activation_function")
FUNCTIONS = (*_NAMED_FUNCTIONS, _NESTED)  # keys of config.json that say it
_SOFTMAX = ("softmax", "identity", "none", "default")  # none of them changes which output is the largest


@dataclass(frozen=True)
class Head:
    """A checkpoint's head.

    task: what it classifies, by the names of its architectures; None where none of them classifies rows or images.
    names: of its outputs, in their order.
    unlike: why its answer is not one label of several, in words; None where it is.
    named: whether config.json names an architecture at all.
    labels: the task whose answers it gives (temper/tasks/); None where that is none of them.
    """

    task: Task | None
    names: tuple[str, ...]
    unlike: str | None
    named: bool
    labels: str | None = USUAL

    def unlike_task(self, labels: str | None) -> str | None:
        """Why its answer is not what a task has, in words; None where it is.

        Args:
            labels: the task of the data; None: single_label.
        """
        wanted = labels or USUAL
        if self.labels == wanted or getattr(task_of(wanted), "HEADLESS", False):
            return None
        return (
            self.unlike
            or f"it gives each row one of its {len(self.names)} labels (a softmax), and data.labels is {wanted}"
        )

    @property
    def names_nothing(self) -> bool:
        """Whether its names are transformers' own LABEL_0, LABEL_1, …, or numbers: then they say nothing of the outputs."""
        return names_nothing(self.names)


NAMES_FIX = (
    "write id2label of its config.json as {output: name}, outputs from 0 on, label2id the other way round, and "
    "architectures as a list"
)


def names_nothing(names: Sequence[str]) -> bool:
    """Whether names of outputs are the placeholders of transformers, or the outputs' numbers."""
    return all(name.lower() in (f"label_{n}", str(n)) for n, name in enumerate(names))


def compared(names: Sequence[str]) -> list[str]:
    """Names as they are compared: capitals and outer blanks are no other name."""
    return [name.strip().lower() for name in names]


def _names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the outputs in their order.

    Raises:
        ValueError: id2label does not give each output, from 0 on, one name.
    """
    found = config.get("id2label")
    if not found:
        outputs = config.get("num_labels", config.get("_num_labels"))  # as transformers has it where nothing is said: 2
        return tuple(f"LABEL_{number}" for number in range(outputs if isinstance(outputs, int) else 2))
    if not isinstance(found, Mapping):
        raise ValueError(f"its id2label is {type(found).__name__}, not names by the number of the output")
    try:
        names = {int(number): str(name) for number, name in found.items()}
    except ValueError:
        key, value = next(iter(found.items()))
        raise ValueError(f"its id2label has names as keys ({key!r}: {value!r}): that is what label2id is for") from None
    if sorted(names) != list(range(len(names))):
        raise ValueError(
            f"its id2label names the outputs {', '.join(map(str, sorted(names)[:12]))}, not each from 0 on"
        )
    return tuple(names[number] for number in range(len(names)))


def _function(config: Mapping[str, Any]) -> str | None:
    """What is to be applied to the outputs, where that is not of the kind of a softmax."""
    nested = config.get(_NESTED)
    said = [config.get(key) for key in _NAMED_FUNCTIONS]
    said += [nested.get("activation_fn")] if isinstance(nested, Mapping) else []
    names = [name for name in said if isinstance(name, str)]
    return next((name for name in names if name.rpartition(".")[2].lower() not in _SOFTMAX), None)


def _unlike(config: Mapping[str, Any], names: Sequence[str], architectures: Sequence[str]) -> str | None:
    if any(_OF_WORDS in name for name in architectures):
        return f"it is a {architectures[0]}, which answers each token and not the whole row"
    problem = config.get("problem_type")
    if problem == SEVERAL_LABELS:
        return f"it gives each of its {len(names)} labels a yes or no of its own (problem_type: {problem})"
    if problem == "regression" or len(names) == 1:
        said = f"problem_type: {problem}" if problem else "one output, as regression and rerankers have it"
        return f"it gives a row a score and not a label ({said})"
    function = _function(config)
    if function is not None:
        return f"a {function.rpartition('.')[2].lower()} is to be applied to its outputs, each for itself ({function})"
    if any(_WITH_TEACHER in name for name in architectures):
        return (
            f"it is a {architectures[0]}: the answer is the mean of two classifiers, one of them trained by a teacher, and "
            "transformers loads one"
        )
    return None


def _other_task(config: Mapping[str, Any], names: Sequence[str], architectures: Sequence[str]) -> str | None:
    """The task of a head that gives something else than one label of several."""
    problem = config.get("problem_type")
    if any(_OF_WORDS in name for name in architectures):
        return "token_classification"
    if problem == SEVERAL_LABELS:
        return "multi_label"
    return "score" if len(names) == 1 else None


def _architectures(config: Mapping[str, Any]) -> list[str]:
    """Names of the classes that it was saved from; none where nothing is said."""
    found = config.get("architectures") or []
    if not isinstance(found, list):
        raise ValueError(f"its architectures is {type(found).__name__}, not a list of names")
    return [str(name) for name in found]


def head_of(config: Mapping[str, Any]) -> Head:
    """Read a config.json.

    Args:
        config: its content.

    Raises:
        ValueError: its id2label names no outputs, or its architectures is no list.
    """
    architectures = _architectures(config)
    found = [task for ending, task in _CLASSIFIERS.items() if any(ending in name for name in architectures)]
    names = _names(config)
    unlike = _unlike(config, names, architectures) if found or not architectures else None
    if (
        architectures and not found and "For" in architectures[0]
    ):  # its head may bear the names of a classifier's tensors
        unlike = f"it is a {architectures[0]}, which answers something else than a label of the whole row"
    labels = (
        USUAL if unlike is None else _other_task(config, names, architectures) if found or not architectures else None
    )
    return Head(found[0] if found else None, names, unlike, bool(architectures), labels)


def fix_of(fine_tune: str, labels: str = "data.labels:") -> str:
    """What one can do about a head that answers otherwise.

    Args:
        fine_tune: how fine-tuning is asked for.
        labels: how a task is.
    """
    return (
        "name a checkpoint that gives each row one label of several (one that gives any number of labels goes with "
        f"{labels} multi_label, one that gives a score with {labels} score, one that tags words with {labels} "
        f"token_classification); or {fine_tune}, which keeps the "
        "body and trains a new classifier for the data's labels"
    )


def check_model(model: ModelOptions, train: Mapping[str, Any], labels: str | None = None) -> None:
    """Refuse, before anything runs, a checkpoint of this machine that is none, or whose head would be read as what it is not.

    Args:
        model: the `model:` section; a name on the hub, a folder that is not there and a config.json that cannot be read are
            left to the job that loads them.
        train: the `train:` section: fine-tuning makes a new head.
        labels: the task of the data.

    Raises:
        ArtifactError: it is none of transformers' own, its sizes are not its weights', or it is to be taken as it is and its
            answer is not one label of several.
    """
    if not isinstance(model, CheckpointModel):
        return
    other = foreign(Path(model.checkpoint))
    if other is not None:
        raise ArtifactError(
            asked=f"load the checkpoint {model.checkpoint}",
            happened=f"it is {other.what}",
            affected="nothing: no job was started",
            fix=other.cure,
        )
    try:
        config = read_config(Path(model.checkpoint) / "config.json")
        larger = why_larger_than_weights(Path(model.checkpoint), config)
    except (OSError, ValueError, ArtifactError):
        return
    if larger is not None:
        raise ArtifactError(
            asked=f"load the checkpoint {model.checkpoint}",
            happened=larger,
            affected="nothing: no job was started",
            fix=SIZES_FIX,
        )
    if train["method"] != "none":
        return
    try:
        head = head_of(config)
    except (ValueError, AttributeError, TypeError):
        return
    why = head.unlike_task(labels)
    if why is not None:
        raise ArtifactError(
            asked=f"take the checkpoint {model.checkpoint} as it is",
            happened=why,
            affected="nothing: no job was started",
            fix=fix_of("set train.method to fine_tune"),
        )
