"""LoadGen's own logs as JSON."""

import contextlib
import json
import re
from typing import Any

from temper.errors import LoadTestError

SPOILED = "this load test only; nothing was written"  # by any error of a load test

_NUMBER = r"[-+]?\d{1,18}(?:\.\d{1,18})?(?:e[-+]?\d{1,2})?"
RunSummary = dict[str, Any]


def _summary_number(text: str, label: str) -> float | None:
    """The number after 'label :' in LoadGen's summary; None where it has no such line."""
    found = re.search(rf"^\s*{label}\s*:\s*({_NUMBER})\s*$", text, re.MULTILINE)
    return float(found[1]) if found else None


def _satisfied(text: str, what: str) -> bool | None:
    """A 'satisfied' line of LoadGen's summary: 'Skipped' is no (fewer queries than asked); None where it is absent."""
    found = re.search(rf"^\s*{what} satisfied\s*:\s*(\w+)", text, re.MULTILINE)
    return found[1] == "Yes" if found else None


def _bullets(text: str, heading: str) -> list[str]:
    """The points below a heading of LoadGen's summary, each in one line."""
    found = re.search(rf"^{heading}:\n((?: .*\n|\n(?= \*))*)", text, re.MULTILINE)
    return (
        [" ".join(point.split()) for point in re.split(r"^ \*", found[1], flags=re.MULTILINE) if point.strip()]
        if found
        else []
    )


def parse_summary(text: str) -> RunSummary:
    """LoadGen's summary as JSON.

    Args:
        text: mlperf_log_summary.txt of a run.

    Returns:
        valid: LoadGen's word; reasons: why not, empty where it is; scenario: as LoadGen writes it;
        min_duration_satisfied, min_queries_satisfied, early_stopping_satisfied, and performance_constraints_satisfied
        (None but for Server); early_stopping: its lines; early_stopping_estimates_ms: by percentile (SingleStream);
        samples_per_s: completed samples over time; scheduled_per_s (None but for Server);
        latency_percentiles_ms, latency_min_ms, latency_mean_ms, latency_max_ms: of samples.

    Raises:
        LoadTestError: the text holds no result.
    """
    result = re.search(r"^Result is\s*:\s*(\w+)", text, re.MULTILINE)
    scenario = re.search(r"^Scenario\s*:\s*(\w+)", text, re.MULTILINE)
    if result is None or scenario is None:
        raise LoadTestError(
            asked="read LoadGen's summary",
            happened=f"it holds no result: {' '.join(text.split())[:300] or 'it is empty'}",
            affected=SPOILED,
            fix="this log may say why; run the load test again",
        )
    checks = {
        "min_duration_satisfied": _satisfied(text, "Min duration"),
        "min_queries_satisfied": _satisfied(text, "Min queries"),
        "performance_constraints_satisfied": _satisfied(text, "Performance constraints"),
        "early_stopping_satisfied": _satisfied(text, "Early stopping"),
    }
    valid = result[1] == "VALID"
    early_stopping = _bullets(text, "Early Stopping Result")
    not_met = [
        f"{check.removesuffix('_satisfied').replace('_', ' ')} not satisfied"
        for check in checks
        if checks[check] is False
    ]
    advice = _bullets(text, "Recommendations")
    if checks["early_stopping_satisfied"] is False:
        advice += [f"Early stopping: {line}" for line in early_stopping]
    per_s = [
        _summary_number(text, label)
        for label in ("Samples per second", "Completed samples per second", r"QPS w/ loadgen overhead")
    ]
    latencies = {name: _summary_number(text, rf"{name.capitalize()} latency \(ns\)") for name in ("min", "mean", "max")}
    percentiles = re.findall(r"^(\d{1,3}(?:\.\d{1,9})?) percentile latency \(ns\)\s*:\s*(\d{1,18})", text, re.MULTILINE)
    estimates = re.findall(r"Early stopping (\d{1,3}(?:\.\d{1,9})?)th percentile estimate: (\d{1,18})", text)
    return {
        "valid": valid,
        "reasons": [] if valid else [*not_met, *advice],
        "scenario": scenario[1],
        **checks,
        "early_stopping": early_stopping,
        "early_stopping_estimates_ms": {f"{float(at):g}": int(latency) / 1e6 for at, latency in estimates},
        "samples_per_s": next((number for number in per_s if number is not None), None),
        "scheduled_per_s": _summary_number(text, "Scheduled samples per second"),
        "latency_percentiles_ms": {f"{float(at):g}": int(latency) / 1e6 for at, latency in percentiles},
        **{f"latency_{name}_ms": None if value is None else value / 1e6 for name, value in latencies.items()},
    }


def logged_errors(detail: str) -> list[str]:
    """What LoadGen's detailed log calls an error, in its words."""
    found = []
    for line in detail.splitlines():
        if '"is_error": true' in line:
            with contextlib.suppress(ValueError, KeyError):
                found.append(str(json.loads(line.partition(" ")[2])["value"]))
    return found
