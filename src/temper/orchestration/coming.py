"""What a run is about to do, in words, and how long its jobs took the last time."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from temper.logs import job_lines
from temper.logs.progress import duration
from temper.logs.script_log import WIDTH, own_work_s
from temper.orchestration.running_jobs import listen_again

if TYPE_CHECKING:
    from temper.orchestration.plan import PlannedJob

CHANGES_NO_RESULT = "it says what will run"
SHOWN = 8  # jobs that are named with their reasons


def announce(dag: Any) -> None:
    """Say what will run, where lines of jobs are shown (`temper run`); and let them know how long each took before.

    Args:
        dag: Snakemake's, as it stands when its first job is about to start.
    """
    listen_again()
    lines = job_lines.shown
    if lines is None:
        return
    from temper.orchestration.jobs import job_of
    from temper.orchestration.plan import PlannedJob, in_words, reasons_of

    needed = [job for level in dag.toposorted() for job in level if dag.needrun(job) and job.rule.name != "all"]
    planned, seconds = [], {}
    for each in needed:
        job = job_of(dag, each)
        planned.append(in_words(PlannedJob(job.rule, job.row, reasons_of(str(dag.reason(each)))), job))
        seconds[job.name] = own_work_s(each.log)
    lines.expect(seconds)
    for line in coming(planned, seconds):
        lines.say(line)


def coming(planned: "Sequence[PlannedJob]", seconds: Mapping[str, float | None]) -> list[str]:
    """Lines about jobs that will run: of a study that has run before those with a reason of their own, else how many of which.

    Args:
        planned: in an order in which they may run.
        seconds: by name, how long each took the last time; None where it has not run here.
    """
    many = "1 job" if len(planned) == 1 else f"{len(planned)} jobs"
    known = [value for value in seconds.values() if value is not None]
    time = f", {_time(known, len(planned))}"
    if not known:
        counts: dict[str, int] = {}
        for job in planned:
            counts[job.rule] = counts.get(job.rule, 0) + 1
        rules = ", ".join(
            rule if count == 1 else f"{count}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{rule}"
            for rule, count in counts.items()
        )
        lines = wrap(f"{many} will run{time}: {rules}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
    own = [job for job in planned if not job.only_follows] or list(planned)
    said = [f"{many} will run{time}:", *(f"  {job}" for job in own[:SHOWN])]
    left = len(planned) - len(own[:SHOWN])
    return [*said, f"  and {left} more (temper plan names each)"] if left else said


def _time(known: Sequence[float], jobs: int) -> str:
    if not known:
        return "for how long is not known: none has run here before"
    least, new = duration(sum(known)), jobs - len(known)
    return f"more than {least}: {new} {'has' if new == 1 else 'have'} not run here before" if new else f"about {least}"
