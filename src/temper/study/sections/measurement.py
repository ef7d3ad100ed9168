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
    """calls before the clock counts"""
    calls_per_turn: PositiveInt
    """timed calls of one side before the other's turn; two turns are a block"""
    min_calls: PositiveInt
    """timing goes on until so many calls, `min_duration_s` and `relative_half_width` are reached"""
    max_calls: PositiveInt
    """timing ends with so many in any case, before a candidate that answers in no time fills the disk with its record"""
    min_duration_s: Annotated[float, Field(ge=0)]
    """of the timed calls of both sides together, at least"""
    max_duration_s: PositiveFloat
    """of a workload by the clock, at most"""
    relative_half_width: Annotated[float, Field(gt=0, lt=1)]
    """the 95 % interval of the ratio is to be this narrow (0.02: ± 2 %)"""
    busy_share: Annotated[float, Field(gt=0, le=1)]
    """share of the processors that others may take beside a turn; above it the turn is dropped and taken again; 1 drops none"""
    quiet_wait_s: Annotated[float, Field(ge=0)]
    """the longest that one run waits for a quiet machine, all candidates together; then a workload is 'not measured: the
    machine was busy'"""
    resamples: Annotated[int, Field(ge=200)]
    """bootstrap draws of that interval"""
    percentiles: Annotated[
        tuple[Annotated[float, AfterValidator(_percentile)], ...], Field(min_length=1), AfterValidator(distinct)
    ]
    """of the latency, nearest rank; left out where the calls are too few (p95 needs 130, p99 662)"""
    distinct_batches: PositiveInt
    """seeded batches of test rows, timed in turn"""
    alone_calls: PositiveInt
    """calls in a process with nothing beside it: its median shows whether the neighbour disturbs"""
    throughput_callers: Annotated[tuple[PositiveInt, ...], Field(min_length=1), AfterValidator(distinct)]
    """threads at once of the saturated throughput, each with a loading of its own"""
    throughput_duration_s: PositiveFloat
    """of the saturated throughput, for each number of callers"""
    accuracy_batch_size: PositiveInt
    """rows per call when predicting the test split"""

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

    latency_margin: Annotated[float, Field(gt=0, lt=1)]
    """ratios within 1 ± this count as equal; by as much the baseline may move beside a candidate before its ratio is
    `disturbed` (measuring.md, What holds)"""
    accuracy_budget_points: Annotated[float, Field(gt=0, lt=100)]
    """what may be lost of the metric, in percentage points; with few test rows the report says which budget they can decide"""
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
    """what the budget is of: `accuracy`, `macro_f1`, `micro_f1`, `matthews`, `lowest_recall` (of the label that has the
    lowest), `auroc`, `spearman`, `ndcg_at_10`, `entity_f1`; left out: the first of [the task](tasks.md). Accuracy has an exact
    interval, the others a paired bootstrap's ([0066](decisions/0066-other-metrics-are-drawn-again.md))"""

    @model_serializer(mode="wrap")
    def _without_what_is_usual(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As before there were other metrics, where none is asked for: settings of jobs are held against those of before."""
        content: dict[str, Any] = handler(self)
        return {key: value for key, value in content.items() if key != "metric" or value is not None}
