"""The choice of each workload in words, as every page and the terminal tell it first."""

from temper.report.decide.decided import DecidedWorkload, Decision
from temper.report.formats import significant


def choices(decision: Decision) -> list[str]:
    """A sentence for each workload, in the order of the study: 'b1: ort-fp32, 2.04 × as fast as torch-fp32'.

    Args:
        decision: of the report. One that was written before there were sentences gets them here.
    """
    return [own.sentence or _sentence(name, own, decision.baseline) for name, own in decision.workloads.items()]


def _sentence(name: str, own: DecidedWorkload, baseline: str) -> str:
    if own.chosen is None or own.latency_ratio is None:
        return f"{name}: no choice: none is within the accuracy budget and measured"
    also = f"; not told apart from it: {', '.join(own.not_told_apart)}" if own.not_told_apart else ""
    return f"{name}: {own.chosen}, {significant(1 / own.latency_ratio)} × as fast as {baseline}{also}"
