"""Which candidate to serve: the fastest within the accuracy budget, the Pareto front, and what was left out and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from temper.measurement.record import Record

SCHEMA_VERSION = 1


def _excluded(name: str, compared: Mapping[str, Any], workload: str) -> str | None:
    """Why a candidate cannot be chosen for a workload; None where it can."""
    accuracy, timed = compared["accuracy"], compared["workloads"].get(workload)
    if timed is None:
        return "does not run this workload"
    if timed["status"] != "measured":
        return f"latency not measured: {timed['reason']}"
    if accuracy["status"] != "measured":
        return f"accuracy not measured: {accuracy['reason']}"
    paired = accuracy["against_baseline"]
    if paired["status"] != "measured":
        return f"accuracy not compared: {paired['reason']}"
    if paired["verdict"] == "within":
        return None
    points = (
        f"{paired['difference_points']:+.2f} points "
        f"[{paired['difference_low_points']:+.2f}, {paired['difference_high_points']:+.2f}]"
    )
    if paired["verdict"] == "beyond":
        return f"beyond the accuracy budget: {points}"
    needed = paired["rows_that_would_decide"]
    return f"undecided against the accuracy budget: {points}" + (f"; {needed:,} rows would decide" if needed else "")


def _is_dominated(own: Mapping[str, float], other: Mapping[str, float]) -> bool:
    no_worse = all(
        (
            other["latency_ratio"] <= own["latency_ratio"],
            other["accuracy"] >= own["accuracy"],
            other["peak_rss_mib"] <= own["peak_rss_mib"],
        )
    )
    return no_worse and any(other[key] != own[key] for key in ("latency_ratio", "accuracy", "peak_rss_mib"))


def _points(records: Sequence[Record], comparison: Mapping[str, Any], workload: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for record in records:
        compared = comparison["candidates"][record.candidate]
        timed, accuracy = compared["workloads"].get(workload, {}), compared["accuracy"]
        if timed.get("status") == "measured" and accuracy["status"] == "measured" and record.memory is not None:
            found[record.candidate] = {
                "latency_ratio": timed["ratio"],
                "accuracy": accuracy["accuracy"],
                "peak_rss_mib": record.memory.peak_rss_running_mib,
            }
    return found


def decide(records: Sequence[Record], comparison: Mapping[str, Any]) -> dict[str, Any]:
    """The choice per workload: artifacts/report/decision.json.

    A candidate is chosen where its accuracy is within the budget by its interval, and its latency ratio is the lowest of
    those. Others whose ratio's interval reaches the chosen one's are named: the measurement cannot tell them apart.

    Args:
        records: of all candidates.
        comparison: what `compare_records` made of them.
    """
    workloads = list(dict.fromkeys(name for record in records for name in record.workloads))
    found: dict[str, Any] = {}
    for workload in workloads:
        candidates = comparison["candidates"]
        why = {name: _excluded(name, compared, workload) for name, compared in candidates.items()}
        eligible = sorted(
            (name for name, reason in why.items() if reason is None),
            key=lambda name: candidates[name]["workloads"][workload]["ratio"],
        )
        points = _points(records, comparison, workload)
        chosen = eligible[0] if eligible else None
        found[workload] = {
            "chosen": chosen,
            "not_told_apart": [
                name
                for name in eligible[1:]
                if candidates[name]["workloads"][workload]["low"]
                <= candidates[eligible[0]]["workloads"][workload]["high"]
            ],
            "latency_ratio": None if chosen is None else candidates[chosen]["workloads"][workload]["ratio"],
            "pareto_front": [
                {"candidate": name, **own}
                for name, own in points.items()
                if not any(_is_dominated(own, other) for other in points.values())
            ],
            "excluded": {name: reason for name, reason in why.items() if reason is not None},
        }
    return {
        "schema_version": SCHEMA_VERSION,
        "study": comparison["study"],
        "baseline": comparison["baseline"],
        "accuracy_budget_points": comparison["analysis"]["accuracy_budget_points"],
        "workloads": found,
    }
