"""On which machines candidates are measured, and that each has what its figures are held against."""

from collections.abc import Mapping

from temper.environment import plugins
from temper.study.params_rows import need
from temper.study.refusal import params_error
from temper.study.schema import CandidateRow, Study


def check_machines(study: Study) -> None:
    """Candidates name rows of `machines:`, all of them or none: a figure without a machine has nothing to stand beside."""
    without = [name for name, row in study.candidates.items() if row.machine is None]
    for name, row in study.candidates.items():
        if row.machine is not None:
            need(row.machine, study.machines, f"candidates.{name}.machine", "machines")
    if without and len(without) < len(study.candidates):
        raise params_error(
            f"candidates.{without[0]} names no machine, and others do",
            f"set candidates.{without[0]}.machine to one of {', '.join(study.machines)}",
        )
    unused = sorted(study.machines.keys() - {row.machine for row in study.candidates.values()})
    if unused:
        raise params_error(
            f"machines.{unused[0]} is a row that no candidate is measured on", "name it in one, or drop it"
        )


def check_references(study: Study) -> None:
    """Every study measures its own noise, on each machine: the baseline against itself, and the null backend."""
    if not plugins.load("backends", study.backends[study.baseline.backend].runner).PREDICTS:
        raise params_error(
            f"baseline.backend is {study.baseline.backend}, whose runner computes nothing",
            "name a backend that answers: every candidate's latency and labels are held against the baseline's",
        )
    for place, names in study.places.items():
        _check_reference(study, {name: study.candidates[name] for name in names}, f" on {place}" if place else "")


def _check_reference(study: Study, candidates: Mapping[str, CandidateRow], where: str) -> None:
    """The references of the candidates of one machine; `where` says which, where there are several."""
    same = [row for row in candidates.values() if study.is_baseline(row)]
    if not same:
        raise params_error(
            f"no candidate{where} is the baseline itself (backend {study.baseline.backend}, loads {study.baseline.loads})",
            "add it to candidates: its answers are what the others are held against, its ratio shows this machine's noise",
        )
    missing = sorted({name for row in candidates.values() for name in row.workloads} - set(same[0].workloads))
    if missing:
        raise params_error(
            f"the candidate{where} that is the baseline itself does not run the workloads {', '.join(missing)}",
            "add them to its row: without them nobody knows which ratio this machine can tell from 1",
        )
    if not any(study.backends[row.backend].runner == "null" for row in candidates.values()):
        raise params_error(
            f"no candidate{where} runs on the null backend",
            "add one (backend with the runner 'null'): what it takes is the harness's own cost",
        )
