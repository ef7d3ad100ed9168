"""What a search is asked for: by its command line, by `optimize:` of params.yaml where that says nothing, else as usual."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from temper.artifacts.signature import BATCH_AXIS
from temper.errors import ConfigError
from temper.measurement.timed_inputs import REAL_LENGTHS
from temper.study.sections.optimize import OptimizeSection, Target, Traffic

MINUTES = 30.0
_NOTHING_BEGUN = "nothing: no search was begun"


@dataclass(frozen=True)
class Wish:
    """What is asked for; None where nobody said it.

    Attributes:
        target: latency; throughput: samples per second of the workload, call after call; cost: the same as a price.
        workload: name of a row of `workloads:`; None for the first.
        budget_points: accuracy that may be lost, percentage points; None for the study's.
        p99_ms: the most that the 99th percentile may take; None for any.
        minutes: for making and racing candidates; the float file before and the confirmation after it come on top.
        cores: for Snakemake.
        traffic: in place of a workload: rows with the data's own lengths, as they come or sorted by length.
        batch_size: rows in a call of that traffic; None for as many as the first workload has.
        price_per_hour: of this machine, in any currency.
    """

    target: Target | None = None
    workload: str | None = None
    budget_points: float | None = None
    p99_ms: float | None = None
    minutes: float | None = None
    cores: str = "all"
    traffic: Traffic | None = None
    batch_size: int | None = None
    price_per_hour: float | None = None

    @property
    def saturated(self) -> bool:
        """Whether samples per second count."""
        return self.target in ("throughput", "cost")


def completed(wish: Wish, section: OptimizeSection | None) -> Wish:
    """The wish with what the study's own section says where the command line says nothing.

    Raises:
        ConfigError: what is asked for contradicts itself, or lacks a price.
    """
    given = {} if section is None else section.model_dump(exclude_none=True)
    overruled = set[str]()  # with what the command line says, what goes with it in the section
    if wish.workload is not None:
        overruled |= {"traffic", "batch_size"}
    if wish.traffic is not None:
        overruled |= {"workload"}
    if wish.target not in (None, "cost"):
        overruled |= {"price_per_hour"}
    given = {key: value for key, value in given.items() if key not in overruled}
    found = replace(wish, **{key: value for key, value in given.items() if getattr(wish, key) is None})
    found = replace(found, target=found.target or "latency", minutes=found.minutes or MINUTES)
    if found.workload is not None and found.traffic is not None:
        raise _refused(
            f"both a workload, {found.workload}, and traffic, {found.traffic}, are given", "leave out one of the two"
        )
    if found.batch_size is not None and found.traffic is None:
        raise _refused(
            f"a batch size of {found.batch_size} is given, and a workload has its own",
            "give the traffic too (--traffic arrival), or leave the batch size out",
        )
    if found.target == "cost" and found.price_per_hour is None:
        raise _refused(
            "what this machine costs is not given",
            "give it with --price-per-hour, in any currency, or as price_per_hour in optimize: of params.yaml",
        )
    if found.price_per_hour is not None and found.target != "cost":
        raise _refused(
            f"a price is given, and the target is {found.target}", "give --target cost, or leave the price out"
        )
    return found


def workload_of(wish: Wish, workloads: Mapping[str, Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """The workload that is meant: its name and its row, which the study has under that name or does not have at all.

    Args:
        wish: completed.
        workloads: the study's.

    Raises:
        ConfigError: it names one that the study does not have, or has another of the name that its traffic would get.
    """
    if wish.traffic is None:
        name = wish.workload or next(iter(workloads))
        if name not in workloads:
            raise ConfigError(
                asked=f"find the fastest for the workload {name}",
                happened=f"the study has {', '.join(workloads)}",
                affected=_NOTHING_BEGUN,
                fix="name one of these with --workload, or add it to workloads in params.yaml",
            )
        return name, dict(workloads[name])
    first = next(iter(workloads.values()))
    row = {BATCH_AXIS: wish.batch_size or first[BATCH_AXIS], REAL_LENGTHS: wish.traffic}
    same = [name for name, known in workloads.items() if dict(known) == row]
    if same:
        return same[0], row
    name = f"b{row[BATCH_AXIS]}-{wish.traffic}"
    if name in workloads:
        raise ConfigError(
            asked=f"find the fastest for {row[BATCH_AXIS]} rows in a call, lengths: {wish.traffic}",
            happened=f"the study has a workload {name} of another kind",
            affected=_NOTHING_BEGUN,
            fix=f"call that one otherwise in workloads of params.yaml, or ask for it: --workload {name}",
        )
    return name, row


def _refused(happened: str, fix: str) -> ConfigError:
    return ConfigError(asked="find the fastest", happened=happened, affected=_NOTHING_BEGUN, fix=fix)
