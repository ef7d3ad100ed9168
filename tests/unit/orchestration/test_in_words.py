"""What Snakemake would say in a traceback, or of a command that died."""

import logging

import pytest

from temper.errors import EndedError, NoMemoryError
from temper.orchestration import in_words
from temper.orchestration.in_words import ALOUD, how_it_ended, speak, unwrapped

SAID = (
    'RuleException:\nCalledProcessError in file "calibrate.smk", line 13:\n'
    "Command 'set -euo pipefail;  /bin/python -P /study/.snakemake/scripts/tmps97vfujb.calibrate.py' {}."
)
KILLED = SAID.format("died with <Signals.SIGKILL: 9>")


@pytest.fixture
def counted(monkeypatch):
    """Lets the system's memory killer count so many kills."""
    return lambda count: monkeypatch.setattr(in_words, "memory_kills", lambda: count)


@pytest.mark.parametrize("how", ["died with <Signals.SIGKILL: 9>", "returned non-zero exit status 137"])
def test_a_kill_that_the_memory_killer_counts_is_memory(counted, how):
    counted(4)
    error = how_it_ended(SAID.format(how), 3)
    assert isinstance(error, NoMemoryError)
    assert error.asked == "run rule calibrate"
    assert error.happened.startswith("memory ran out: ")
    assert "the same command again" in error.fix


@pytest.mark.parametrize(
    ("count", "words"), [(3, "no memory killer of the system counts it"), (None, "the system does not say why")]
)
def test_any_other_kill_is_none(counted, count, words):
    counted(count)
    error = how_it_ended(KILLED, count)
    assert isinstance(error, EndedError)
    assert words in error.happened
    assert "memory ran out" not in error.happened


@pytest.mark.parametrize("limit", [None, "a limit of 512 MiB is set on each process's memory (ulimit -v)"])
def test_a_crash_is_said_with_the_limit_under_which_it_came(counted, monkeypatch, limit):
    counted(3)
    monkeypatch.setattr(in_words, "limit_words", lambda: limit)
    error = how_it_ended(SAID.format("died with <Signals.SIGSEGV: 11>"), 3)
    assert isinstance(error, EndedError)
    assert "ended with signal SIGSEGV" in error.happened
    assert (str(limit) in error.happened) == (limit is not None)
    assert ("a higher limit" in error.fix) == (limit is not None)


@pytest.mark.parametrize(
    "said",
    [
        SAID.format("returned non-zero exit status 1"),  # it has said itself why
        SAID.format("died with <Signals.SIGINT: 2>"),
        SAID.format("returned non-zero exit status 199"),  # no signal
        KILLED.replace(".snakemake/scripts/", "elsewhere/"),
        "Error in rule calibrate, jobid: 1",
    ],
)
def test_what_no_signal_ended_keeps_its_words(said):
    assert how_it_ended(said, None) is None


@pytest.fixture
def logger(monkeypatch):
    """Snakemake's, which speaks in four parts."""
    monkeypatch.setattr("logging.raiseExceptions", True)
    found = logging.getLogger("snakemake.logging")
    monkeypatch.setattr(found, "filters", [])
    monkeypatch.setattr(found, "disabled", False)
    speak()
    speak()
    assert len(found.filters) == 1
    assert not logging.raiseExceptions
    return found


def test_what_snakemake_says_of_a_full_disk_in_a_traceback_is_said_in_four_parts(logger, caplog):
    for said in ("OSError: [Errno 28] No space left on device\nTraceback (most recent call last): …", "KeyError: 'x'"):
        logger.error(said)
    full, other = caplog.messages
    assert "happened: No space left on device" in full
    assert "Traceback" not in full
    assert other == "KeyError: 'x'"


@pytest.mark.parametrize(
    "said", ["MemoryError in file common.smk, line 23.", "OSError: [Errno 12] Cannot allocate memory"]
)
def test_memory_that_ran_out_in_the_runs_own_process_is_said_in_four_parts(logger, caplog, said):
    logger.error(said)
    assert caplog.messages[-1].startswith("NoMemoryError:\n  asked:    run this study\n  happened: memory ran out in")
    logger.error(caplog.messages[-1])
    assert caplog.messages[-1] == caplog.messages[-2]


def test_kills_before_a_job_began_are_not_its_own(logger, counted, caplog):
    caplog.set_level(logging.INFO, logger.name)
    counted(7)
    logger.info(" Rule: calibrate, Jobid: 1", extra={"rule_name": "calibrate"})
    logger.error(KILLED)
    counted(8)
    logger.error(KILLED)
    outside, memory = caplog.messages[-2:]
    assert outside.startswith("EndedError:\n  asked:    run rule calibrate\n  happened: the job's process was killed")
    assert memory.startswith("NoMemoryError:")
    assert "CalledProcessError" not in outside + memory


def test_of_a_run_that_is_to_be_quiet_it_is_said_all_the_same(logger, counted, monkeypatch, capsys):
    """A stage of DVC's runs Snakemake with --quiet all, which drops what it says of a job that was killed."""
    counted(7)
    logger.error(KILLED)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv(ALOUD, "1")
    logger.error(KILLED)
    logger.error("KeyError: 'x'")
    assert capsys.readouterr().err.startswith("NoMemoryError:\n  asked:    run rule calibrate")


FOUR = "ConfigError:\n  asked:    plan\n  happened: no\n  affected: nothing\n  fix:      a key"


@pytest.mark.parametrize("kind", ["WorkflowError", "RuleException"])
@pytest.mark.parametrize(
    "places", ["", '\n  File "common.smk", line 25, in <module>', '\n  File "a", line 1\n  File "b", line 2\n']
)
def test_four_parts_stand_without_the_place_in_a_file_of_rules(kind, places):
    assert unwrapped(f'{kind} in file "/some/common.smk", line 25:\n{FOUR}{places}') == FOUR


@pytest.mark.parametrize(
    "said", [FOUR, 'WorkflowError in file "a.smk", line 3:\nno such rule\n  File "a.smk", line 3', "asked: nothing"]
)
def test_other_words_of_snakemakes_stay(said):
    assert unwrapped(said) == said
