"""The sections `measurement:` and `analysis:`. Planning reads them, so nothing heavy is imported here."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)


def _percentile(value: float) -> float:
    if not 0 < value < 100:
        raise ValueError("a percentile lies between 0 and 100")
    return value


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values.

    Raises:
        ValueError: one stands twice.
    """
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} stands twice")
    return values


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Measurement(_Closed):
    """How every candidate is measured. Calls are of each side, candidate and baseline."""

    warmup_runs: Annotated[int, Field(ge=0)]
    calls_per_turn: PositiveInt  # timed calls of one side before the other's turn
    min_calls: PositiveInt
    max_calls: PositiveInt  # ends a candidate that answers in no time before its record fills the disk
    min_duration_s: Annotated[float, Field(ge=0)]  # of the timed calls of both sides
    max_duration_s: PositiveFloat  # of a workload by the clock
    relative_half_width: Annotated[float, Field(gt=0, lt=1)]  # of the ratio's interval: narrower is precise enough
    busy_share: Annotated[
        float, Field(gt=0, le=1)
    ]  # of the processors: a turn beside which others took more is taken again; 1: none
    quiet_wait_s: Annotated[
        float, Field(ge=0)
    ]  # the longest that one run waits for a quiet machine, all candidates together
    resamples: Annotated[int, Field(ge=200)]  # bootstrap draws
    percentiles: Annotated[
        tuple[Annotated[float, AfterValidator(_percentile)], ...], Field(min_length=1), AfterValidator(distinct)
    ]
    distinct_batches: PositiveInt  # seeded batches of test rows that are timed in turn
    alone_calls: PositiveInt  # in a process with nothing beside it
    throughput_callers: Annotated[tuple[PositiveInt, ...], Field(min_length=1), AfterValidator(distinct)]
    throughput_duration_s: PositiveFloat  # for each number of callers
    accuracy_batch_size: PositiveInt

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max_calls < self.min_calls:
            raise ValueError(f"max_calls is {self.max_calls}, below min_calls ({self.min_calls})")
        if self.max_calls < 2 * self.calls_per_turn:
            raise ValueError(
                f"max_calls is {self.max_calls}, below two turns of {self.calls_per_turn} calls: an interval needs two blocks"
            )
        if self.max_duration_s < self.min_duration_s:
            raise ValueError(f"max_duration_s is {self.max_duration_s}, below min_duration_s ({self.min_duration_s})")
        return self


class Analysis(_Closed):
    """What is concluded from the measurements; a change of it measures nothing anew."""

    latency_margin: Annotated[float, Field(gt=0, lt=1)]  # ratios within 1 ± it count as equal
    accuracy_budget_points: Annotated[float, Field(gt=0, lt=100)]  # what may be lost of the metric, percentage points
    # what the budget is of; not given: accuracy of single labels, macro-F1 of several, Spearman of scores
    metric: (
        Literal[
            "accuracy",
            "macro_f1",
            "micro_f1",
            "matthews",
            "lowest_recall",
            "auroc",
            "spearman",
            "ndcg_at_10",
            "entity_f1",
        ]
        | None
    ) = None

    @model_serializer(mode="wrap")
    def _without_what_is_usual(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As before there were other metrics, where none is asked for: settings of jobs are held against those of before."""
        content: dict[str, Any] = handler(self)
        return {key: value for key, value in content.items() if key != "metric" or value is not None}
