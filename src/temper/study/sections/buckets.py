"""A row of `buckets:`. Planning reads it, so nothing heavy is imported here."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PositiveInt

from temper.study.refusal import params_error


def _never_test(split: Any) -> Any:
    if split == "test":
        raise ValueError("what serves the test rows may not be chosen by them: name train, validation or calibration")
    return split


class TransformerCost(BaseModel):
    """What a row costs in a transformer layer, attention's growth with the length included."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    hidden_size: PositiveInt


class BucketsRow(BaseModel):
    """At most `profiles` sequence lengths, chosen so that padding to the next of them costs least."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    batch_size: PositiveInt  # of the engines that are built for these lengths
    profiles: PositiveInt  # the most lengths
    multiple_of: PositiveInt  # tokens: every length is a multiple of it, but for data.max_tokens
    split: Annotated[Literal["train", "validation", "calibration"], BeforeValidator(_never_test)]
    cost: Literal["tokens"] | TransformerCost


def check_buckets(place: str, row: BucketsRow, max_tokens: int | None) -> None:
    """A row's lengths can be those of the data.

    Args:
        place: the row's place in params.yaml.
        row: its content.
        max_tokens: data.max_tokens; None for images.

    Raises:
        ConfigError: the rows have no length, or none as long as the step from one limit to the next.
    """
    if max_tokens is None:
        raise params_error(f"{place} chooses sequence lengths, but images have none", "remove the row")
    if row.multiple_of > max_tokens:
        raise params_error(
            f"{place}.multiple_of is {row.multiple_of}, more than data.max_tokens ({max_tokens}): there would be one length",
            f"set {place}.multiple_of to {max_tokens} or less (8 suits tensor cores)",
        )
