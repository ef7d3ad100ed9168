"""Which candidate answers: the decision's, or one by name; and what was measured of it."""

from dataclasses import dataclass

from temper.environment import plugins
from temper.environment.devices import nvidia_gpus
from temper.errors import ConfigError
from temper.measurement.record import Record
from temper.report.decide.compared_accuracy import Missing
from temper.report.decide.decision_words import left_open_in_words, loss_in_words
from temper.report.decide.evidence import DISTURBED
from temper.report.finished import Finished
from temper.statistics.metrics import TITLES


@dataclass(frozen=True)
class Choice:
    """A candidate that can answer on this machine.

    workload: whose decision is meant.
    why: in words.
    accuracy: what the report says of it, in words.
    precision: products as they were executed when it was measured, in words.
    notes: what has to be said before its answers are believed: that the choice is provisional, what the model is worth.
    """

    candidate: str
    record: Record
    workload: str
    why: str
    accuracy: str
    precision: str
    notes: tuple[str, ...] = ()


def workload_for(finished: Finished, rows: int) -> str:
    """The workload nearest to a request: the largest batch that the rows fill, else the smallest; the first of equals."""
    sizes = {name: finished.batch_size(name) for name in finished.decision.workloads}
    filled = [size for size in sizes.values() if size <= rows]
    wanted = max(filled) if filled else min(sizes.values())
    return next(str(name) for name, size in sizes.items() if size == wanted)


def accuracy_in_words(finished: Finished, candidate: str) -> str:
    """'91.00 % of 1,000 test rows, +0.00 points [−0.38, +0.38] from torch-fp32: within the budget of 0.5 points'."""
    compared = finished.comparison.candidates[candidate]
    own, paired = compared.accuracy, compared.paired
    if isinstance(own, Missing):
        return f"not measured: {own.reason}"
    found = f"{100 * own.judged:.2f} % of {own.rows:,} test rows"
    found = found if own.metric is None else f"{TITLES[own.metric]} {found}"
    if paired is None:
        return f"{found}; not compared: {compared.why_not_paired}"
    points = (paired.difference_points, paired.difference_low_points, paired.difference_high_points)
    difference, low, high = (f"{value:+.2f}".replace("-", "−") for value in points)
    if paired.is_baseline:
        return f"{found}: it is the baseline itself"
    verdict = "undecided against" if paired.verdict == "undecided" else paired.verdict
    from_baseline = f"{difference} points [{low}, {high}] from {finished.comparison.baseline}"
    return f"{found}, {from_baseline}: {verdict} the budget of {finished.comparison.budget_points:g} points"


def next_best(finished: Finished, workload: str, without: str) -> str | None:
    """The fastest candidate within the accuracy budget that has the GPUs it asks for here; None where there is none."""
    timed = finished.comparison.candidates
    excluded = finished.decision.workloads[workload].excluded
    able = [
        name
        for name in finished.candidates
        if name not in excluded and name != without and finished.record(name).backend["gpus"] <= len(nvidia_gpus())
    ]
    return min(able, key=lambda name: timed[name].workloads[workload].taken.ratio, default=None)


def instead(finished: Finished, workload: str, without: str) -> str:
    """What to do where a candidate cannot run here."""
    other = next_best(finished, workload, without)
    if other is None:
        return "no other candidate within the accuracy budget can run here: name one with --candidate all the same"
    return f"--candidate {other}: the fastest within the accuracy budget that can run here"


def _decided(finished: Finished, workload: str) -> str:
    """The decision's candidate for a workload.

    Raises:
        ConfigError: it chose none.
    """
    decision = finished.decision.workloads[workload]
    if decision.chosen is not None:
        return decision.chosen
    others = [name for name, other in finished.decision.workloads.items() if other.chosen is not None]
    fix = "name a candidate with --candidate"
    raise ConfigError(
        asked=f"predict with the candidate that the decision chose for {workload}",
        happened=decision.sentence,
        affected="nothing",
        fix=f"{fix}, or a workload with a choice: --workload {' or '.join(others)}" if others else fix,
    )


def _notes(finished: Finished, workload: str, candidate: str) -> tuple[str, ...]:
    """That the choice is provisional, with its bound; that the latency of a named one is disturbed; the model's warnings."""
    decision = finished.decision.workloads[workload]
    compared, found = finished.comparison.candidates[candidate], []
    if decision.provisional and candidate == decision.chosen and (paired := compared.paired):
        found.append(
            f"the choice is provisional: {paired.rows:,} test rows cannot decide a budget of "
            f"{finished.comparison.budget_points:g} points; {loss_in_words(paired, finished.comparison.baseline)}"
        )
    if decision.left_open and candidate == decision.chosen:
        left = left_open_in_words(decision.left_open)
        found.append(left if found else f"the choice is provisional. {left}")
    cell = compared.workloads.get(workload)
    if cell is not None and cell.verdict == DISTURBED:
        found.append(f"its latency at {workload} is disturbed: {cell.why_not}")
    return (*found, *decision.warnings)


def choose(finished: Finished, *, candidate: str | None, workload: str | None, rows: int) -> Choice:
    """The candidate that is to answer.

    Args:
        finished: the study's report.
        candidate: its name; None takes the decision's.
        workload: whose decision counts; None takes the one nearest to the number of rows.
        rows: how many are to be answered.

    Raises:
        ConfigError: there is no such candidate or workload, the decision chose none, it computes no logits, or it needs a
            GPU that is not here.
        ArtifactError: its record is not the one that the report was made from.
    """
    known = list(finished.decision.workloads)
    if workload is not None and workload not in known:
        raise ConfigError(
            asked=f"predict with the decision for the workload {workload}",
            happened=f"the report has {', '.join(known)}",
            affected="nothing",
            fix="name one of these with --workload",
        )
    meant = workload or workload_for(finished, rows)
    name = candidate or _decided(finished, meant)
    if name not in finished.candidates:
        raise ConfigError(
            asked=f"predict with the candidate {name}",
            happened=f"the report has {', '.join(finished.candidates)}",
            affected="nothing",
            fix="name one of these with --candidate",
        )
    record = finished.record(name)
    backend, there = record.backend, len(nvidia_gpus())
    if not plugins.load("backends", backend["runner"]).PREDICTS:
        raise ConfigError(
            asked=f"predict with {name}",
            happened=f"its backend {backend['name']} computes no logits: it shows what measuring itself costs",
            affected="nothing",
            fix=instead(finished, meant, name),
        )
    if backend["gpus"] > there:
        raise ConfigError(
            asked=f"predict with {name} on {backend['name']}",
            happened=f"it needs {backend['gpus']} NVIDIA GPU{'s' if backend['gpus'] > 1 else ''}, this machine has "
            f"{there or 'none'}",
            affected="nothing: it was not run on another device",
            fix=instead(finished, meant, name),
        )
    executed = finished.summary.candidates[name].executed_products
    return Choice(
        candidate=name,
        record=record,
        workload=meant,
        why=f"the decision's choice for {meant}"
        if name == finished.decision.workloads[meant].chosen
        else "named with --candidate",
        accuracy=accuracy_in_words(finished, name),
        precision=f"executed products: {executed}"
        if executed
        else "not measured: its backend did not tell, or did not run",
        notes=_notes(finished, meant, name),
    )
