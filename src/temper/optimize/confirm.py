"""The winner taken to the test rows: a study of its own, measured as every study is, ready to be packaged."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import read_document
from temper.backends.packaged import unsupported
from temper.environment.own_process import environment, python_command
from temper.errors import ExperimentError
from temper.measurement.record import Record, Workload
from temper.measurement.remeasurements import settled_record
from temper.optimize.build import end, end_with_parent
from temper.optimize.shortest import leaf_values
from temper.optimize.studies import take_over
from temper.reading.typed import as_typed, typed_for, typed_study
from temper.report.decide.decided import read_decision
from temper.report.finished import REPORT, again_file

_BUDGET = re.compile(
    r"set analysis\.accuracy_budget_points to ([\d.]*\d)"
)  # of params.yaml, which a search writes itself
FASTEST, EXACT = "fastest", "exact"  # candidates of the winner's study


@dataclass(frozen=True)
class Confirmed:
    """What the test rows and fresh calls say.

    Attributes:
        chosen: the candidate that the decision chose; None where the evidence allows none.
        p99_ms: of what was chosen; None where nobody asked, or it was not measured.
        ready: whether what was chosen is one of the search's, within its bound.
        sentences: the same in words.
        against_fastest: whether the verdict speaks against the fastest.
    """

    chosen: str | None
    p99_ms: float | None
    ready: bool
    sentences: tuple[str, ...]
    against_fastest: bool = False


def confirm(goal: Path, sources: Sequence[Path], cores: str) -> None:
    """Measure the winner beside the baseline on the test rows.

    Args:
        goal: folder of the winner's study, its params.yaml written.
        sources: folders of studies whose artifacts may be taken over.
        cores: for Snakemake.

    Raises:
        ExperimentError: the run did not end well.
    """
    take_over(goal, sources)
    command = python_command("-m", "temper.cli", "run", "--directory", os.path.relpath(goal), "--cores", cores)
    with subprocess.Popen(command, env=environment(), preexec_fn=end_with_parent) as running:
        try:
            code = running.wait()
        except BaseException:
            end(running)
            raise
    if code != 0:
        raise ExperimentError(
            asked=f"confirm the winner in {goal}",
            happened="its run did not end well: what stopped it stands above",
            affected="the confirmation; the search's own record is whole",
            fix=f"temper run -C {goal} goes on with it; then the same command again",
        )


def _record(goal: Path, candidate: str) -> Record:
    return settled_record(goal / f"artifacts/measurements/{candidate}.json", goal / again_file(""))


def confirmed(goal: Path, workload: str, p99_ms: float | None) -> Confirmed:
    """What came of it.

    Args:
        goal: folder of the winner's study, finished.
        workload: that was raced.
        p99_ms: the most that the 99th percentile may take; None for any.
    """
    decision = read_decision(goal / REPORT / "decision.json").workloads[workload]
    chosen = decision.chosen
    with typed_study(_typed(goal)):  # what it says to type is about the winner's study
        sentence = _BUDGET.sub(r"ask for --budget-points \1", as_typed(decision.sentence))
        sentences = [f"On the test rows, with fresh calls: {sentence}"]
    sentences += [
        f"Not chosen: {name}, {decision.excluded[name]}." for name in (FASTEST, EXACT) if name in decision.excluded
    ]
    ready, measured = chosen in (FASTEST, EXACT), None
    if p99_ms is not None and chosen is not None and ready:
        found = _record(goal, chosen).workloads[workload]
        measured = found.latency_percentiles_ms.get("99") if isinstance(found, Workload) else None
        ready = measured is not None and measured <= p99_ms
        said = "was not measured" if measured is None else f"is {measured:.3g} ms"
        sentences.append(f"Its 99th percentile {said}, of {p99_ms:g} ms that are allowed.")
    return Confirmed(chosen, measured, ready, tuple(sentences), FASTEST in decision.excluded)


def confirmed_throughput(goal: Path, workload: str, baseline: str, price_per_hour: float | None = None) -> Confirmed:
    """What came of it where samples per second were asked for: the accuracy as the report has it, and the saturated calls.

    Args:
        goal: folder of the winner's study, finished.
        workload: that was raced.
        baseline: the candidate that is the baseline itself.
        price_per_hour: of this machine, in any currency; None where nobody asked for a price.
    """
    compared = read_document(goal / REPORT / "comparison.json")["candidates"]
    most: dict[str, tuple[float, str]] = {}
    for name in (FASTEST, EXACT, baseline):
        file = goal / f"artifacts/measurements/{name}.json"
        found = _record(goal, name).workloads[workload] if file.is_file() else None
        if isinstance(found, Workload) and found.throughput_samples_per_s:
            callers = max(found.throughput_samples_per_s, key=lambda key: found.throughput_samples_per_s[key])
            most[name] = (found.throughput_samples_per_s[callers], callers)
    within = [
        name
        for name in (FASTEST, EXACT)
        if name in most and compared[name]["accuracy"].get("against_baseline", {}).get("verdict") == "within"
    ]
    said = ", ".join(f"{name} {rate:,.0f} with callers: {callers}" for name, (rate, callers) in most.items())
    sentences = [f"On the test rows, samples per second of calls without a pause: {said or 'not measured'}."]
    if price_per_hour is not None and most:
        prices = ", ".join(f"{name} {per_million(rate, price_per_hour):.3g}" for name, (rate, _) in most.items())
        sentences.append(f"A million samples cost, on a machine kept busy at {price_per_hour:g} an hour: {prices}.")
    chosen = max(within, key=lambda name: most[name][0], default=None)
    if chosen is None:
        sentences.append("Neither candidate is shown to be within the accuracy budget.")
    return Confirmed(
        *(chosen, None, chosen is not None and most[chosen] > most.get(baseline, (0.0, ""))),
        *(tuple(sentences), FASTEST in most and FASTEST not in within),
    )


def per_million(samples_per_s: float, price_per_hour: float) -> float:
    """What a million samples cost on a machine that is kept busy, in the currency of its price."""
    return 1e6 / samples_per_s * price_per_hour / 3600


def _typed(goal: Path) -> str:
    """The folder of the winner's study, beside the study as a person typed that."""
    study = goal.parents[1]
    return str(Path(typed_for(study)) / goal.relative_to(study))


def where(
    goal: Path, params: Mapping[str, Any], found: Confirmed, backend: Mapping[str, Any] | None = None
) -> list[str]:
    """Where the winner's study lies, and what may be done with it.

    Args:
        goal: folder of the winner's study.
        params: of it.
        found: what came of it.
        backend: the row that what was chosen runs on, or the fastest where nothing of the search's was chosen; None of none.
    """
    shown = _typed(goal)
    said = [f"The winner's study, {leaf_values(params)} values: {shown}/params.yaml. Beside it: search.md, search.svg."]
    lacking = None if backend is None else unsupported(backend)
    if found.ready:
        named = f" --candidate {found.chosen}" if found.chosen else ""
        if lacking is None:
            said.append(f"Ready: temper package -C {shown}{named} --to FOLDER")
        else:
            said.append(
                f"Ready: temper predict -C {shown}{named} answers with it. A package does not run it: {lacking}."
            )
    elif found.against_fastest and lacking is None:
        said.append(
            f"What the verdict speaks against is packaged all the same by: temper package -C {shown} --candidate {FASTEST} "
            "--anyway --to FOLDER"
        )
    return said
