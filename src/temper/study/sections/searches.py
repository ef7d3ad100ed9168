"""A row of `searches:`. Planning reads it, so nothing heavy is imported here."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

SEARCH_FILES = ("search.json",)


class SearchRow(BaseModel):
    """Which layers of a quantised ONNX file to keep in float, found on validation rows."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    onnx: str  # the quantised file
    reference: str  # the float file that it was made from
    rows: PositiveInt  # validation rows, the first ones
    threads: PositiveInt
    budget_points: Annotated[float, Field(gt=0, lt=100)]  # per cent of these rows whose label may change
    max_evaluations: PositiveInt  # of a file on the rows, sensitivities included
