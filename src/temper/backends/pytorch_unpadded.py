"""The pytorch backend's mode without padding: which models it takes, and what stops it, in the backend's own errors."""

from typing import Any

from temper.artifacts.signature import Signature
from temper.errors import BackendError, PipelineError
from temper.package.runtime import unpadded
from temper.package.runtime.unpadded_place import IDS, MASK, TYPES

_FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "camembert")  # model_type of their config.json
_FIX = "set another mode in the backend's row, or drop the row from params.yaml"


def why_not(model: Any, signature: Signature) -> str:
    """Why a model cannot run so; '' where it can."""
    config = model.config
    if config.model_type not in _FAMILIES:
        return f"its model_type is {config.model_type}; unpadded are {', '.join(_FAMILIES)}"
    if not type(model).__name__.endswith("ForSequenceClassification"):
        return f"it is a {type(model).__name__}, whose head reads other tokens than the first"
    if signature.padding_side != "right":
        return "its rows are padded on the left"
    names = {spec.name for spec in signature.inputs}
    if not {IDS, MASK} <= names <= {IDS, MASK, TYPES}:
        return f"its inputs are {', '.join(sorted(names))}"
    if getattr(config, "position_embedding_type", "absolute") != "absolute" or getattr(config, "is_decoder", False):
        return "its attention needs more than the rows' own tokens"
    activation = getattr(config, "activation", None) or config.hidden_act
    return "" if activation == "gelu" else f"its activation is {activation}"


class Unpadded(unpadded.Unpadded):
    """A model that answers padded batches without computing their padding."""

    def __init__(self, model: Any, signature: Signature, mode: str, device: str, *, asked: str) -> None:
        """Take its weights.

        Args:
            model: of a checkpoint, loaded, on its device and in its dtype.
            signature: of the checkpoint.
            mode: one of unpadded.MODES.
            device: 'cpu', or a CUDA device.
            asked: in words, for errors.

        Raises:
            BackendError: the model cannot run so.
        """
        if reason := why_not(model, signature):
            raise BackendError(
                asked=asked,
                happened=f"the model needs its padding: {reason}",
                affected="this record only",
                fix=_FIX,
            )
        self._asked = asked
        super().__init__(model, {spec.name for spec in signature.inputs}, mode, device)

    def warmed(self, views: tuple[Any, Any, Any], longest: int) -> Any:
        """Logits of the last of some calls; the first of all calls compiles.

        Raises:
            BackendError: it cannot be compiled, or not run.
        """
        try:
            return super().warmed(views, longest)
        except (MemoryError, PipelineError, self._torch.OutOfMemoryError):
            raise
        except Exception as error:  # dynamo, inductor, triton and the C compiler raise many types
            raise BackendError(
                asked=self._asked,
                happened=f"{type(error).__name__}: {' '.join(str(error).split())[:600]}",
                affected="this record only",
                fix=_FIX,
            ) from error
