import io
import logging
from types import SimpleNamespace

import pytest
from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake_interface_logger_plugins.common import LogEvent

from temper.logs.job_lines import SILENCE_GROWS, SILENCE_S, JobLines, LogHandler
from temper.logs.progress import duration
from temper.logs.script_log import CLEAR_LINE, TRIED, WIDTH

PLAN = {"prepare_data": 1, "measure": 2, "all": 1, "total": 4}


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self):
        return True


class Clock:
    """Seconds that a test moves on."""

    now = 0.0

    def __call__(self):
        return self.now


def run(stream, clock=None, *, step_s=2.0):
    """All jobs of the plan, each of which takes `step_s`."""
    clock = clock or Clock()
    lines = JobLines(stream, clock)
    lines.plan(PLAN)
    for number, (rule, words) in enumerate(
        [("prepare_data", "prepare_data"), ("measure", "measure a"), ("measure", "measure b")]
    ):
        lines.start(number, rule, words)
        clock.now += step_s
        lines.finish(number)
    lines.start(3, "all", "all artifacts of the study")
    lines.finish(3)
    lines.end()
    return stream.getvalue()


def test_a_terminal_has_one_line_that_is_overwritten_and_one_that_stays():
    shown = run(Terminal())
    assert f"{CLEAR_LINE}job 2 of 3: measure a{CLEAR_LINE}" in shown
    assert shown.endswith(f"{CLEAR_LINE}3 jobs done in 6 s (measure 4 s, prepare_data 2 s)\n")
    assert shown.count("\n") == 1
    assert "all" not in shown


def test_a_job_that_waited_in_a_queue_worked_as_long_as_its_log_says(tmp_path):
    log, clock, stream = tmp_path / "a.log", Clock(), io.StringIO()
    lines = JobLines(stream, clock)
    lines.plan({"measure": 2})
    for number, name in enumerate("ab"):
        lines.start(number, "measure", f"measure {name}", [str(log)] if name == "a" else ["none.log"])
    clock.now += 100.0
    log.write_text("own work: 30.000 s\n")
    lines.finish(0)
    lines.finish(1)
    lines.end()
    assert stream.getvalue().endswith("2 jobs done in 1 min 40 s (measure 2 min 10 s)\n")


def test_a_pipe_gets_the_last_line_alone_where_all_is_soon_over():
    assert run(io.StringIO()) == "3 jobs done in 6 s (measure 4 s, prepare_data 2 s)\n"


def test_a_pipe_hears_of_jobs_that_take_long():
    assert run(io.StringIO(), step_s=SILENCE_S).splitlines()[:-1] == ["job 2 of 3: measure a"]  # later each time
    later = run(io.StringIO(), step_s=SILENCE_GROWS * SILENCE_S)
    assert later.splitlines()[:-1] == ["job 2 of 3: measure a", "job 3 of 3: measure b"]


def test_a_line_that_is_overwritten_never_wraps():
    stream = Terminal()
    lines = JobLines(stream, Clock())
    lines.plan({"measure": 9})
    for number in range(9):
        lines.start(number, "measure", f"measure a-candidate-{number}")
    assert max(map(len, stream.getvalue().split(CLEAR_LINE))) == WIDTH


def test_the_last_line_names_as_many_rules_as_it_holds():
    stream, clock = io.StringIO(), Clock()
    lines = JobLines(stream, clock)
    rules = [f"a_rule_with_a_long_name_{at}" for at in range(3)]
    lines.plan(dict.fromkeys(rules, 1))
    for number, rule in enumerate(rules):
        lines.start(number, rule, rule)
        clock.now += 59
        lines.finish(number)
    lines.end()
    last = stream.getvalue().splitlines()[-1]
    assert last == f"3 jobs done in 2 min 57 s ({rules[0]} 59 s)"


def test_a_failure_names_the_job_and_its_log_and_says_how_to_go_on():
    stream, clock = io.StringIO(), Clock()
    lines = JobLines(stream, clock)
    lines.plan(PLAN)
    lines.start(0, "measure", "measure a")
    clock.now += 61
    lines.fail(0, ["logs/measure/a.log"])
    lines.end()
    lines.end()  # Snakemake says it twice
    assert stream.getvalue().splitlines() == [
        "failed: measure a (its log: logs/measure/a.log)",
        "stopped after 0 of 3 jobs, 1 min 1 s; the same command goes on from there",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (112, "1 min 52 s"), (7500, "2 h 5 min")]
)
def test_durations_are_said_as_a_person_says_them(seconds, shown):
    assert duration(seconds) == shown


def settings(*, dryrun=False):
    asked = {"stdout": False, "dryrun": dryrun, "verbose": False, "debug_dag": False, "printshellcmds": False}
    return SimpleNamespace(**asked, nocolor=True, quiet=set(), show_failed_logs=False)


def told(text, level=logging.INFO, **event):
    record = logging.LogRecord("snakemake", level, "", 0, text, None, None)
    vars(record).update(event)
    return record


def test_snakemakes_events_become_lines_and_its_banners_do_not(capsys):
    handler = LogHandler(settings(), None)
    handler.emit(told("Building DAG of jobs..."))
    handler.emit(told("Job stats: …", event=LogEvent.RUN_INFO, stats={"report": 1, "all": 1, "total": 2}))
    handler.emit(told("", event=LogEvent.JOB_INFO, jobid=1, rule_name="report", rule_msg="report"))
    handler.emit(told("", event=LogEvent.JOB_FINISHED, job_id=1))
    handler.close()
    assert capsys.readouterr().err == "1 job done in 0 s\n"


def test_a_run_with_nothing_to_do_says_so(capsys):
    handler = LogHandler(settings(), None)
    handler.emit(told(NOTHING_TO_BE_DONE_MSG))
    handler.close()
    assert capsys.readouterr().err == "nothing to do: every artifact is there and belongs to these settings\n"


def test_an_error_of_snakemake_itself_is_shown_whole(capsys):
    handler = LogHandler(settings(), None)
    handler.emit(told("WorkflowError:\nConfigError:\n  asked: …\n  fix: …", logging.ERROR))
    handler.emit(told("Exiting because a job execution failed. Look below for error messages", logging.ERROR))
    handler.close()
    assert capsys.readouterr().err == "WorkflowError:\nConfigError:\n  asked: …\n  fix: …\n"


def test_a_dry_run_prints_snakemakes_own_lines(capsys):
    handler = LogHandler(settings(dryrun=True), None)
    handler.emit(
        told("", event=LogEvent.JOB_INFO, jobid=1, rule_name="report", rule_msg="report", reason="its code changed")
    )
    handler.close()
    assert "Job 1: report\nReason: its code changed\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ({"prepare_data": 4.0, "measure a": 10.0, "measure b": 20.0}, "job 2 of 3: measure a; about 30 s left"),
        ({"prepare_data": 2.0, "measure a": 10.0, "measure b": 20.0}, "job 2 of 3: measure a"),  # too little is done
        ({"prepare_data": 4.0, "measure a": 10.0, "measure b": None}, "job 2 of 3: measure a; about 20 s left"),
        ({"prepare_data": 4.0, "measure a": 10.0, "report": None}, "job 2 of 3: measure a"),  # no report was made here
        ({"prepare_data": None, "measure a": None, "measure b": None}, "job 2 of 3: measure a"),
        ({}, "job 2 of 3: measure a"),
    ],
)
def test_what_is_left_is_told_by_what_jobs_took_before(before, said):
    clock, stream = Clock(), Terminal()
    lines = JobLines(stream, clock)
    clock.now += 100  # planning
    lines.plan(PLAN)
    lines.expect(before)
    lines.start(0, "prepare_data", "prepare_data")
    assert "left" not in stream.getvalue()
    clock.now += 4
    lines.finish(0)
    lines.start(1, "measure", "measure a")
    assert stream.getvalue().endswith(f"{CLEAR_LINE}{said}")


def test_what_is_left_follows_the_pace_of_this_run():
    clock = Clock()
    lines = JobLines(io.StringIO(), clock)
    lines.plan(PLAN)
    lines.expect({"measure a": 10.0, "measure b": 10.0})
    lines.start(1, "measure", "measure a")
    clock.now += 20
    lines.finish(1)
    assert lines.left() == "about 20 s left"


def test_a_job_that_has_not_run_here_takes_what_others_of_its_rule_took():
    clock = Clock()
    lines = JobLines(io.StringIO(), clock)
    lines.plan(PLAN)
    lines.expect({"measure a": None, "measure b": None})
    assert lines.left() is None
    lines.start(1, "measure", "measure a")
    clock.now += 40
    lines.finish(1)
    assert lines.left() == "about 40 s left"


def test_after_an_interrupt_what_snakemake_says_of_jobs_that_end_with_it_is_no_news():
    stream = io.StringIO()
    lines = JobLines(stream, Clock())
    lines.plan(PLAN)
    lines.start(0, "prepare_data", "prepare_data")
    lines.interrupt()
    lines.fail(0, ["logs/prepare_data.log"])
    lines.end()
    assert lines.interrupted
    assert stream.getvalue().startswith("stopped after 0 of 3 jobs")


ENDED = "RuleException:\nCalledProcessError in file \"a.smk\", line 3:\nCommand 'python a.py' returned non-zero exit status 1."
SAID = "ArtifactError in rule convert:\n  asked:    a\n  happened: {}\n  affected: b\n  fix:      c\n"


def failing(tmp_path, said):
    """Two jobs side by side that fail, in threads of their own; the first has said `said`, the second nothing."""
    handler, logs = LogHandler(settings(), None), [tmp_path / "a.log", tmp_path / "b.log"]
    for number, log in enumerate(logs):
        names = {"rule_name": "convert", "rule_msg": f"convert row-{number}", "log": [str(log)]}
        handler.emit(told("", event=LogEvent.JOB_INFO, jobid=number, **names, created=0.0))
    logs[0].write_text(said)
    for number in (0, 1):  # what Snakemake says comes interleaved
        handler.emit(told(f"{ENDED} {number}", logging.ERROR, event=LogEvent.ERROR, thread=number))
    for number in (1, 0):
        event = {"event": LogEvent.JOB_ERROR, "jobid": number, "log": [str(logs[number])]}
        handler.emit(told("", logging.ERROR, **event, thread=number))
    handler.close()


def test_that_a_process_ended_is_said_of_the_job_that_said_nothing(capsys, tmp_path):
    failing(tmp_path, SAID.format("no"))
    assert capsys.readouterr().err.splitlines() == [
        *f"{ENDED} 1".splitlines(),
        f"failed: convert row-1 (its log: {tmp_path}/b.log)",
        f"failed: convert row-0 (its log: {tmp_path}/a.log)",
    ]


def test_of_a_job_that_is_tried_one_line_says_why_it_made_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv(TRIED, "1")
    failing(tmp_path, SAID.format("the answers changed"))
    assert capsys.readouterr().err.splitlines()[-1] == "not made: convert row-0: the answers changed"


def test_of_a_job_that_the_runs_end_interrupted_nothing_is_said(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv(TRIED, "1")
    failing(tmp_path, "convert: interrupted; what it had begun to write was removed\n")
    assert "not made" not in capsys.readouterr().err


def test_a_process_that_ended_and_no_job_it_was_is_said_all_the_same(capsys):
    handler = LogHandler(settings(), None)
    handler.emit(told(ENDED, logging.ERROR, event=LogEvent.ERROR))
    assert capsys.readouterr().err == ""
    handler.close()
    assert capsys.readouterr().err == f"{ENDED}\n"


def test_a_run_of_jobs_that_are_tried_ends_as_a_run_ends():
    stream = Terminal()
    lines = JobLines(stream, Clock(), tried=True)
    lines.plan(PLAN)
    lines.start(0, "measure", "measure a")
    lines.fail(0, ["a.log"], "logits differ " * 9)
    lines.start(1, "measure", "measure b")
    lines.finish(1)
    lines.end()
    said = stream.getvalue().replace(CLEAR_LINE, "\n").splitlines()
    assert "not made: measure a: logits differ" in stream.getvalue()
    assert said[-1] == "1 of 3 jobs done in 0 s; logs/ of the study says more of the others"
    assert max(map(len, said)) <= WIDTH
