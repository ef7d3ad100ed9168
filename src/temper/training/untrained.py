"""No training: an architecture with its seeded random weights, to time a model of these sizes. Its labels mean nothing."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from temper.data.encoded import PREPROCESSOR_FOLDER
from temper.model_options import ModelOptions
from temper.signature import Signature
from temper.training.model import initial_model

LIBRARIES = ("torch", "transformers")


class Options(BaseModel):
    """The `train:` section with `method: untrained`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    method: Literal["untrained"]


def train(
    *, options: Options, model: ModelOptions, signature: Signature, data_folder: Path, seed: int
) -> tuple[Any, dict[str, Any]]:
    """The model with random weights, float32, and an empty history.

    Raises:
        ArtifactError: a checkpoint cannot be loaded.
        ConfigError: the architecture is unknown, or its sizes contradict each other.
    """
    import torch

    torch.manual_seed(seed)
    return initial_model(model, signature, data_folder / PREPROCESSOR_FOLDER, fresh_head=True).eval(), {"epochs": []}
