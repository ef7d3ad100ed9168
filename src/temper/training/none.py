"""No training: a fine-tuned checkpoint as it is. Its labels must be the data's."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from temper.artifacts.signature import Signature
from temper.data.encoded import PREPROCESSOR_FOLDER, check_split
from temper.study.sections.model import ModelOptions
from temper.training.model import initial_model

LIBRARIES = ("torch", "transformers")


class Options(BaseModel):
    """The `train:` section with `method: none`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    method: Literal["none"]


def train(
    *, options: Options, model: ModelOptions, signature: Signature, data_folder: Path, seed: int
) -> tuple[Any, dict[str, Any]]:
    """The checkpoint's model, float32, and an empty history.

    Raises:
        ArtifactError: it cannot be loaded, has no classifier, or other labels than the data.
        ConfigError: the model is an architecture with random weights.
    """
    import torch

    torch.manual_seed(seed)
    longest = check_split(data_folder, "train")["max_tokens"]
    preprocessor = data_folder / PREPROCESSOR_FOLDER
    network = initial_model(model, signature, preprocessor, longest=longest, fresh_head=False)
    return network, {"epochs": []}
