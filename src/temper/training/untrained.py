"""No training: an architecture with its seeded random weights, to time a model of these sizes. Its labels mean nothing."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from temper.artifacts.signature import Signature
from temper.data.encoded import PREPROCESSOR_FOLDER, check_split
from temper.study.sections.model import ModelOptions
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
    longest = check_split(data_folder, "train")["max_tokens"]
    preprocessor = data_folder / PREPROCESSOR_FOLDER
    network = initial_model(model, signature, preprocessor, longest=longest, fresh_head=True)
    return network.eval(), {"epochs": []}
