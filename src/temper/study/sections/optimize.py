"""The section `optimize:` of params.yaml: what `temper optimize` is asked for where its command line does not say otherwise."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from temper.study.names import Name

_Positive = Annotated[float, Field(gt=0, lt=1e6)]
Target = Literal["latency", "throughput", "cost"]
Traffic = Literal["arrival", "bucketed"]


class OptimizeSection(BaseModel):
    """What a search is for. No job reads it: what is changed here changes no artifact and no figure that is there."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    target: Target | None = None
    """`latency` of one call (left out), `throughput`: samples per second, also of several callers at once, `cost`: the same as
    the price of a million samples"""
    workload: Name | None = None
    """a row of `workloads`; left out: the first"""
    traffic: Traffic | None = None
    """in place of a workload: calls of rows with the data's own lengths, in the data's order (`arrival`) or sorted by length
    (`bucketed`); a row of `workloads` is made of it"""
    batch_size: PositiveInt | None = None
    """rows in a call of that traffic; left out: as many as in the first workload"""
    budget_points: _Positive | None = None
    """accuracy that may be lost, percentage points; left out: `analysis.accuracy_budget_points`"""
    p99_ms: _Positive | None = None
    """the most that the 99th percentile may take; left out: any"""
    minutes: _Positive | None = None
    """for making and racing candidates; left out: 30"""
    price_per_hour: _Positive | None = None
    """of this machine, in any currency; for `target: cost`"""
