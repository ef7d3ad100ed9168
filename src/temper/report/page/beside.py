"""What stands beside a study's measurements: load tests, searches for layers to keep in float, buckets of lengths."""

from collections.abc import Mapping, Sequence
from typing import Any

from temper.load_test.record import LoadTestRecord
from temper.report.load_tests import HEADER as LOAD_HEADER
from temper.report.load_tests import SERVED_HEADER, load_test_rows, served_rows
from temper.report.page.charts import layer_bars, load_curve
from temper.report.page.formats import figure, percent
from temper.report.page.material import Beside, Json
from temper.report.page.names import anchor

LAYERS = 24  # that a picture shows


def beside(
    *,
    load_tests: Sequence[LoadTestRecord],
    searches: Mapping[str, Json],
    buckets: Mapping[str, Json],
    engines: Mapping[str, Json],
    jobs: Mapping[str, Json],
) -> Beside:
    """What the page shows of records that lie beside a study's measurements.

    Args:
        load_tests: in the order of their names.
        searches: search.json's content by row.
        buckets: content of buckets' files by row.
        engines: manifests by what a candidate loads.
        jobs: job records by name.
    """
    tests_of: dict[tuple[str, str], list[str]] = {}
    for test in load_tests:
        tests_of.setdefault((str(test.row["backend"]), str(test.row["loads"])), []).append(test.load_test)
    return Beside(
        load_tests=_load_tests(load_tests) if load_tests else None,
        tests_of=tests_of,
        searches=[_search(name, found) for name, found in searches.items()],
        buckets=[_buckets(name, found) for name, found in buckets.items()],
        engines=engines,
        jobs=jobs,
    )


def _load_tests(tests: Sequence[LoadTestRecord]) -> Json:
    """The table of load tests, and a curve for each search of a rate."""
    anchors = [anchor("load-test", test.load_test) for test in tests]
    return {
        "header": LOAD_HEADER,
        "lines": list(zip(anchors, load_test_rows(tests), strict=True)),
        "served_header": SERVED_HEADER,
        "served": served_rows(tests),
        "curves": [found for test in tests if (found := _curve(test))],
    }


def _curve(test: LoadTestRecord) -> dict[str, Any] | None:
    """Latency at the bound's percentile against the rate, of every run of a search; None for other scenarios."""
    if test.row["scenario"] != "server" or test.result is None:
        return None
    wanted = f"{test.row['latency_percentile']:g}"
    points = [
        (float(run["rate_per_s"]), float(run["latency_percentiles_ms"][wanted]), bool(run["valid"]))
        for run in test.result.get("runs", [])
        if run.get("rate_per_s") and run.get("latency_percentiles_ms", {}).get(wanted)
    ]
    if not points:
        return None
    bound, rate = float(test.row["latency_bound_ms"]), test.result.get("rate_per_s")
    label = f"Load test {test.load_test}: p{wanted} against the rate of arrivals, bound {bound:g} ms"
    return {
        "name": test.load_test,
        "rate": None if rate is None else figure(float(rate)),
        "bound": f"p{wanted} ≤ {bound:g} ms",
        "picture": load_curve(points, bound_ms=bound, percentile=f"p{wanted}", label=label),
    }


def _search(name: str, found: Json) -> dict[str, Any]:
    kept = set(found["keep_in_float"])
    layers = [
        {
            "name": each["layer"]["name"],
            "loss": each["loss"],
            "gain": each["gain"],
            "kept": each["layer"]["name"] in kept,
        }
        for each in found["layers"]
    ]
    rows = found["all_quantized"]["rows"]
    trials = [
        (
            trial["why"],
            ("within, chosen" if trial == found["chosen"] else "within") if trial["within"] else "beyond",
            len(trial["kept"]),
            percent(trial["float_share"]),
            trial["distance"]["flips"],
            figure(trial["distance"]["mean_logit_difference"]),
        )
        for trial in found["trials"]
    ]
    label = f"Layers of the search {name}: what quantising each alone loses, and what leaving it out gains"
    return {
        "name": name,
        "rows": rows,
        "layers": len(layers),
        "shown": min(LAYERS, len(layers)),
        "kept": len(kept),
        "picture": layer_bars(layers, label=label, most=LAYERS),
        "trials": trials,
    }


def _buckets(name: str, found: Json) -> Json:
    """Of a row of buckets the best lengths of every number of profiles."""
    lines = [
        (
            budget["profiles"],
            ", ".join(map(str, budget["limits"])),
            percent(budget["padding_share"]),
            figure(budget["relative_cost"]),
        )
        for budget in found["budgets"]
    ]
    return {"name": name, "lines": lines}
