"""Whether a checkpoint's outputs are the labels of the data: names compared, in their order."""

from collections.abc import Sequence
from typing import Any

from temper.artifacts.signature import Signature
from temper.errors import ArtifactError
from temper.logs.script_log import say_lasting
from temper.training.checkpoint_head import Head, compared, names_nothing

_SPOILED = "the checkpoint, and everything made from it; nothing was written"


def keeps_head(head: Head, signature: Signature, asked: str) -> bool:
    """Whether training goes on with the checkpoint's own head: its outputs are the data's labels, in the same order.

    Raises:
        ArtifactError: they are the same labels in another order.
    """
    own, wanted = compared(head.names), compared(signature.label_names)
    if len(own) == len(wanted) == 1:  # of one output, whatever its name
        own = wanted
    if head.unlike_task(signature.labels) is not None or head.task is None or len(own) != len(wanted):
        return False
    if own != wanted and sorted(own) == sorted(wanted):
        raise _other_order(head.names, signature, asked)
    if own != wanted and not head.names_nothing:
        say_lasting(
            f"checkpoint: its labels are {_listed(head.names)}, the data's {_listed(signature.label_names)}: a new classifier is "
            "trained for these"
        )
    return own == wanted or head.names_nothing


def _other_order(names: Sequence[str], signature: Signature, asked: str) -> ArtifactError:
    return ArtifactError(
        asked=asked,
        happened=f"the checkpoint numbers its labels {_listed(names)}, the data {_listed(signature.label_names)}",
        affected=_SPOILED,
        fix="put data.label_names in the checkpoint's order",
    )


def check_labels(model: Any, signature: Signature, asked: str) -> None:
    """Check that a model that is taken as it is has the data's labels in the data's order, or names none.

    Raises:
        ArtifactError: it has others.
    """
    names = [str(model.config.id2label[number]) for number in sorted(model.config.id2label)]
    wanted = list(signature.label_names)
    if len(names) != len(wanted):
        raise ArtifactError(
            asked=asked,
            happened=f"the checkpoint has {len(names)} labels ({', '.join(names[:6])}), the data has {len(wanted)} "
            f"({', '.join(wanted[:6])})",
            affected=_SPOILED,
            fix="use data with the checkpoint's labels, or set train.method to fine_tune",
        )
    if compared(names) == compared(wanted) or names_nothing(names) or len(names) == 1:
        return
    if sorted(compared(names)) == sorted(compared(wanted)):
        raise _other_order(names, signature, asked)
    raise ArtifactError(
        asked=asked,
        happened=f"the checkpoint's labels are {_listed(names)}, the data's {_listed(wanted)}: an answer would get another name",
        affected=_SPOILED,
        fix="use data with the checkpoint's labels; where they mean the same under other names, write the data's names into "
        "id2label and label2id of the checkpoint's config.json (of a copy, where it is a hub's); or set train.method to "
        "fine_tune, which makes a new classifier",
    )


def _listed(given: Sequence[str]) -> str:
    """Names in their order, the first twelve of many."""
    names = list(given)
    return f"{names}" if len(names) <= 12 else f"{names[:12]} and {len(names) - 12:,} more"
