"""The `model:` section of params.yaml: an existing checkpoint, or an architecture trained from scratch."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter

Task = Literal["text-classification", "image-classification"]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TokenizerOptions(_Closed):
    """A tokenizer trained on the training texts. BPE only: WordPiece training differs from process to process."""

    kind: Literal["tokenizer"]
    algorithm: Literal["bpe"]
    vocabulary_size: Annotated[int, Field(ge=300)]  # 256 bytes, the special tokens, and some merges


class ImageProcessorOptions(_Closed):
    """Resize and normalise: pixels in 0–1, then (pixel - mean) / std per channel."""

    kind: Literal["image_processor"]
    height: PositiveInt
    width: PositiveInt
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class ArchitectureModel(_Closed):
    """A transformers architecture with stated sizes and seeded random weights."""

    task: Task
    source: Literal["architecture"]
    model_type: str  # transformers' name, such as distilbert or resnet
    config: dict[str, Any]  # arguments of its configuration class
    preprocessor: Annotated[TokenizerOptions | ImageProcessorOptions, Field(discriminator="kind")]


class CheckpointModel(_Closed):
    """A checkpoint that transformers' Auto classes load: a folder, or a name on the hub."""

    task: Task
    source: Literal["checkpoint"]
    checkpoint: str
    revision: str | None


ModelOptions = ArchitectureModel | CheckpointModel
_ADAPTER: TypeAdapter[ModelOptions] = TypeAdapter(Annotated[ModelOptions, Field(discriminator="source")])


def model_options(section: Mapping[str, Any]) -> ModelOptions:
    """The checked `model:` section.

    Raises:
        pydantic.ValidationError: a key is missing, unknown or of the wrong type.
    """
    return _ADAPTER.validate_python(section)
