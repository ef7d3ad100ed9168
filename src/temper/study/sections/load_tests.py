"""A load test's row in params.yaml, and what its workload must be."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from temper.artifacts.signature import BATCH_AXIS, SEQUENCE_AXIS
from temper.study.names import Loads, Name
from temper.study.refusal import params_error

CONFIDENCE = 0.99  # of LoadGen's early stopping
SINGLE_STREAM_QUERIES = 64  # the fewest from which early stopping estimates the 90th percentile

Scenario = Literal["single_stream", "offline", "server"]
Through = Literal["http", "triton"]  # a file of temper/package/through/


def queries_needed(percentile: float) -> int:
    """The fewest queries with which LoadGen's early stopping can call a Server run VALID, all of them within the bound.

    Args:
        percentile: of the latency bound, between 0 and 100.
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(percentile / 100))


class LoadTestRow(BaseModel):
    """One artifact on one backend under LoadGen's traffic in one scenario."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    backend: Name
    """as of a candidate"""
    loads: Loads
    """as of a candidate"""
    workload: Name
    """as of a candidate; batch_size 1 for single_stream and server; for offline the batch in which samples are answered"""
    scenario: Scenario
    """`single_stream`, `offline` or `server` (Poisson arrivals; the highest VALID rate is searched)"""
    min_queries: PositiveInt
    """of each run; samples in offline"""
    min_duration_s: PositiveFloat
    """of each run"""
    latency_bound_ms: PositiveFloat | None
    """server only (null elsewhere): the bound within which `latency_percentile` of the queries answer"""
    latency_percentile: Annotated[float, Field(gt=0, lt=100)] | None
    """server only (null elsewhere): this share of queries, in per cent, answers within the bound"""
    through: Through | None = None
    """left out: LoadGen calls the backend itself. `http`: the artifact is packaged and served, and each query is a text over a
    socket; `triton`: the same by a Triton of this machine ([deploy](how-to/deploy.md)); workload of batch_size 1 with
    `real_lengths`"""
    machine: Name | None = None
    """a row of `machines`; left out: the machine that plans"""
    timeout_s: PositiveFloat
    """of all runs together, loading included"""

    @model_validator(mode="after")
    def _bound_for_server_only(self) -> Self:
        bound = (self.latency_bound_ms, self.latency_percentile)
        if self.scenario == "server" and None in bound:
            raise ValueError("the scenario server needs both latency_bound_ms and latency_percentile")
        if self.scenario != "server" and bound != (None, None):
            raise ValueError(
                f"the scenario {self.scenario} has no latency bound: latency_bound_ms and latency_percentile must be null"
            )
        return self

    @model_validator(mode="after")
    def _enough_queries(self) -> Self:
        needed = 1
        if self.scenario == "single_stream":
            needed = SINGLE_STREAM_QUERIES
        elif self.latency_percentile is not None:
            needed = queries_needed(self.latency_percentile)
        if self.min_queries < needed:
            raise ValueError(f"min_queries is {self.min_queries}: with fewer than {needed} LoadGen calls no run VALID")
        return self

    @model_validator(mode="after")
    def _time_enough(self) -> Self:
        if self.timeout_s <= self.min_duration_s:
            raise ValueError(f"timeout_s is {self.timeout_s}, not above min_duration_s ({self.min_duration_s})")
        return self


def check_workload(row: LoadTestRow, workload: Mapping[str, Any]) -> None:
    """Check that LoadGen's samples can be made from the workload.

    Args:
        row: the load test.
        workload: the row of `workloads:` that it names.

    Raises:
        ConfigError: a query would be more than one sample, or samples of different shapes would have to share a batch.
    """
    named = (
        f"a load test of {row.loads} on {row.backend} names the workload {row.workload} for the scenario {row.scenario}"
    )
    size = workload[BATCH_AXIS]
    if row.through is not None and (size != 1 or SEQUENCE_AXIS in workload):
        raise params_error(
            f"{named} through {row.through}: texts go through it one by one, and have their own lengths",
            "name one of batch_size 1 with real_lengths; how many rows a call has is the server's to choose",
        )
    if row.scenario != "offline" and size != 1:
        raise params_error(f"{named}, whose batch_size is {size}: a query is one sample", "name one of batch_size 1")
    if row.scenario == "offline" and size != 1 and not all(isinstance(value, int) for value in workload.values()):
        raise params_error(
            f"{named}, whose rows differ in length: LoadGen chooses which samples share a batch",
            f"name one with a fixed {SEQUENCE_AXIS}, or of batch_size 1",
        )
