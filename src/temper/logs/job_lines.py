"""What a person sees of a run: one line that says which job is at work, one that says how it ended; errors whole.

`snakemake --logger temper`, as the Makefile calls it, in place of Snakemake's own lines: four for each job. Those still go to
.snakemake/log/. A dry run, and a run that is asked for more (`--verbose`, `--printshellcmds`, `--debug-dag`), prints
Snakemake's own lines.
"""

import logging
import os
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from temper.logs.own_error import INTERRUPTED, happened
from temper.logs.progress import duration
from temper.logs.script_log import CLEAR_LINE, TRIED, WIDTH, own_work_s

shown: "JobLines | None" = None  # of this process, where a person sees them
SILENCE_S = 60.0  # after which a pipe, which shows no line that is overwritten, first hears of the jobs
SILENCE_GROWS = 1.5  # and each time later: hours leave a page, not pages
BASIS = 0.1  # of the work, which has to be done before what is left is told: the first jobs are short, and unlike the others
NAMED = 3  # rules whose share of the time is told at the end
# Snakemake's words beside the error itself, which stands above them in four parts
_BESIDE_THE_ERROR = (
    "Exiting because a job execution failed",
    "Shutting down",
    "WorkflowError:\nAt least one job did not",
)
# that a job's process ended with a code other than 0: Snakemake says so before it says which job it was
_ENDED = "RuleException:\nCalledProcessError in file"


class JobLines:
    """Counts the jobs of a run and says where it stands.

    Args:
        stream: where a person looks. A terminal has one line that is overwritten; anything else is a pipe.
        clock: seconds, from any moment on.
        tried: whether a job that cannot be done is no fault: it has a line, and the run goes on.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic, *, tried: bool = False) -> None:
        self._stream, self._clock, self._tried = stream, clock, tried
        self._began = self._spoke = clock()
        self._silence_s = SILENCE_S
        self._total = self._done = 0
        self._failed = self._over = self._interrupted = False
        # by job number: its words, its rule, its begin, its log
        self._running: dict[int, tuple[str, str, float, Sequence[str]]] = {}
        self._seconds: dict[str, float] = {}
        self._finished: dict[str, int] = {}  # jobs of each rule
        self._expected: dict[str, float | None] = {}  # by words, of jobs that have not ended
        self._expected_of_ended = 0.0
        self._before: dict[str, list[float]] = {}  # by rule, what its jobs took the last time
        self._first: float | None = None  # when the first job began

    def plan(self, jobs: dict[str, int]) -> None:
        """So many jobs of each rule will run; the target rule `all` is none."""
        self._total = sum(count for rule, count in jobs.items() if rule not in ("all", "total"))

    def expect(self, seconds: Mapping[str, float | None]) -> None:
        """How long each job took the last time, by its words; None where it has not run here."""
        self._expected = dict(seconds)
        self._before = {}
        for words, took in seconds.items():
            if took is not None:
                self._before.setdefault(words.partition(" ")[0], []).append(took)

    def left(self) -> str | None:
        """'about 2 min left', by what jobs took before and how fast this run is.

        Returns:
            None while nothing tells: less than a tenth of the work is done, or a job is of a rule that has not run here.
        """
        now, done, coming = self._clock(), self._expected_of_ended, 0.0
        begun = {words: now - began for words, _, began, _ in self._running.values()}
        for words, before in self._expected.items():
            takes = self._usual(words.partition(" ")[0]) if before is None else before
            if takes is None:
                return None
            passed = min(takes, begun.get(words, 0.0))
            done, coming = done + passed, coming + takes - passed
        if not self._finished or self._first is None or not coming or done < BASIS * (done + coming):
            return None
        # jobs side by side, and a machine that is not as fast as it was
        pace = min(3.0, max(0.3, (now - self._first) / done))
        return f"about {duration(pace * coming)} left"

    def _usual(self, rule: str) -> float | None:
        """How long a job of a rule takes, by those of this run, else by those of the last."""
        if rule in self._finished:
            return self._seconds[rule] / self._finished[rule]
        known = self._before.get(rule, ())
        return sum(known) / len(known) if known else None

    def start(self, number: int, rule: str, words: str, log: Sequence[str] = ()) -> None:
        """A job is at work, or waits for a scheduler."""
        if rule != "all":
            self._running[number] = (words, rule, self._clock(), log)
            self._first = self._running[number][2] if self._first is None else self._first
            self._show()

    def finish(self, number: int) -> None:
        """A job has ended well."""
        if number in self._running:
            words, rule, began, log = self._running.pop(number)
            self._done += 1
            passed, worked = self._clock() - began, own_work_s(log)  # in a queue a job does not work
            took = min(passed, passed if worked is None else worked)
            self._seconds[rule] = self._seconds.get(rule, 0.0) + took
            self._finished[rule] = self._finished.get(rule, 0) + 1
            self._expected_of_ended += self._expected.pop(words, None) or took
            self._show()

    def fail(self, number: int, log: list[str], why: str | None = None) -> None:
        """A job has failed; its error in four parts is on the terminal already, from its own process.

        Args:
            number: of the job.
            log: its logs.
            why: what happened, by its log, which alone has the error of a job that was tried; None where nothing is said.
        """
        words, *_ = self._running.pop(number, ("a job", "", 0.0, ()))
        self._failed = True
        if self._interrupted:
            return
        if not self._tried or why is None:
            self.say(f"failed: {words}{f' (its log: {log[0]})' if log else ''}")
            return
        if why == INTERRUPTED:  # by the run, whose time is over
            return
        line = f"not made: {words}: {why}"
        self.say("\n".join(textwrap.wrap(line, WIDTH, subsequent_indent="  ")) if self._stream.isatty() else line)

    def interrupt(self) -> None:
        """The person ends the run: what Snakemake says of the jobs that end with it is no news."""
        self._interrupted = True

    @property
    def interrupted(self) -> bool:
        """Whether the person has ended the run."""
        return self._interrupted

    def say(self, text: str) -> None:
        """A line that stays."""
        self._write(f"{CLEAR_LINE if self._stream.isatty() else ''}{text}\n")

    def end(self) -> None:
        """The run is over; Snakemake says so twice."""
        if self._over:
            return
        self._over = True
        if self._stream.isatty():
            self._write(CLEAR_LINE)
        if not self._total:
            return
        took = duration(self._clock() - self._began)
        if self._tried and (self._failed or self._interrupted):
            self.say(f"{self._done} of {self._total} jobs done in {took}; logs/ of the study says more of the others")
            return
        if self._done < self._total or self._failed:
            self.say(f"stopped after {self._done} of {self._total} jobs, {took}; the same command goes on from there")
            return
        line = f"{'1 job' if self._total == 1 else f'{self._total} jobs'} done in {took}"
        longest = sorted(self._seconds.items(), key=lambda spent: -spent[1])[:NAMED]
        told = [f"{rule} {duration(seconds)}" for rule, seconds in longest if seconds >= 1]
        while told and len(f"{line} ({', '.join(told)})") > WIDTH:
            told.pop()
        self.say(f"{line} ({', '.join(told)})" if told else line)

    def _show(self) -> None:
        """Which jobs are at work: at once on a terminal, now and then in a pipe."""
        words = ", ".join(words for words, *_ in self._running.values())
        text = f"job {min(self._done + len(self._running), self._total)} of {self._total}: {words}" if words else ""
        if text and (left := self.left()):
            text = f"{text}; {left}"
        if self._stream.isatty():
            self._write(CLEAR_LINE + (text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"))
        elif text and self._clock() - self._spoke >= self._silence_s:
            self._silence_s *= SILENCE_GROWS
            self.say(text)

    def _write(self, text: str) -> None:
        self._spoke = self._clock()
        self._stream.write(text)
        self._stream.flush()


class LogHandler(LogHandlerBase):
    """Snakemake's events as the lines of `JobLines`; its own handler where more is asked for."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        own = self.common_settings
        stream = sys.stdout if own.stdout else sys.stderr
        global shown
        self._lines = JobLines(stream, tried=bool(os.environ.get(TRIED)))
        self._began: dict[int, float] = {}  # by job number, seconds of time.time()
        self._ended: dict[int | None, str] = {}  # by thread, that a process ended: which job's it was comes next
        self._plain: logging.Handler | None = None
        shown = self._lines
        if own.dryrun or own.verbose or own.debug_dag or own.printshellcmds:
            shown = None
            self._plain = ColorizingTextHandler(
                nocolor=own.nocolor,
                stream=stream,
                formatter=DefaultFormatter(own.quiet, own.show_failed_logs),
                filter=DefaultFilter(own.quiet, own.debug_dag, own.verbose, own.dryrun, own.printshellcmds),
            )

    def emit(self, record: logging.LogRecord) -> None:
        """One event of the run."""
        if self._plain is not None:
            self._plain.handle(record)
            return
        event: dict[str, Any] = vars(record)
        kind, text = event.get("event"), str(event.get("msg") or "")
        if kind == LogEvent.RUN_INFO:
            self._lines.plan(event["stats"])
        elif kind == LogEvent.JOB_INFO:
            self._began[event["jobid"]] = record.created
            self._lines.start(
                event["jobid"], event["rule_name"], event["rule_msg"] or event["rule_name"], event.get("log") or ()
            )
        elif kind == LogEvent.JOB_FINISHED:
            self._lines.finish(event["job_id"])
        elif kind == LogEvent.JOB_ERROR:
            self._fail(event["jobid"], list(event["log"] or []), record.thread)
        elif text.startswith(_ENDED) and record.levelno >= logging.ERROR:
            self._ended[record.thread] = text
        elif text == NOTHING_TO_BE_DONE_MSG:
            self._lines.say("nothing to do: every artifact is there and belongs to these settings")
        elif (
            record.levelno >= logging.WARNING and not self._lines.interrupted and not text.startswith(_BESIDE_THE_ERROR)
        ):
            self._lines.say(text)

    def _fail(self, number: int, log: list[str], thread: int | None) -> None:
        """A job has failed: that its process ended is said where the job itself has said nothing."""
        why, ended = happened(log, self._began.get(number, 0.0)), self._ended.pop(thread, None)
        if ended is not None and why is None and not self._lines.interrupted:
            self._lines.say(ended)
        self._lines.fail(number, log, why)

    def close(self) -> None:
        """Snakemake ends."""
        if self._plain is None:
            for ended in self._ended.values():  # of no job that it named
                self._lines.say(ended)
            self._ended = {}
            self._lines.end()
        super().close()
