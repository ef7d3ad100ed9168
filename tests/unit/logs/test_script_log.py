"""Each rule's script is a process; so is each test's."""

import os
import pty
import re
import subprocess
import sys

import pytest

from temper.logs.script_log import CLEAR_LINE, WIDTH, own_work_s

PROGRAM = """
import errno, os, signal
from pathlib import Path
from temper.errors import DataError
from temper.logs.script_log import log_to, say_lasting, say_passing, terminal
with log_to("logs/deep/rule.log", "measure"):
    {code}
"""


@pytest.fixture
def run(tmp_path):
    """Runs code inside `log_to`; gives exit code, what the terminal shows, and the log."""

    def run(code):
        command = [sys.executable, "-c", PROGRAM.format(code=code)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.stdout == ""
        return done.returncode, done.stderr, (tmp_path / "logs/deep/rule.log").read_text()

    return run


def test_output_goes_to_the_log_also_that_of_compiled_libraries(run):
    code, shown, log = run("print('python', flush=True); os.system('echo compiled'); os.system('echo errors >&2')")
    assert (code, shown) == (0, "")
    assert log.splitlines()[:3] == ["python", "compiled", "errors"]


def test_a_word_for_a_person_reaches_the_terminal(run):
    code, shown, log = run("with terminal() as stream: print('1/3', file=stream)")
    assert (code, shown) == (0, "1/3\n")
    assert "1/3" not in log


def test_the_log_ends_with_the_time_the_rules_own_work_took(run):
    _, _, log = run("import time; time.sleep(0.05)")
    seconds = re.fullmatch(r"own work: (\d+\.\d{3}) s\n", log)
    assert float(seconds[1]) >= 0.05


def test_a_pipeline_error_shows_its_four_parts_on_both_and_no_traceback(run):
    code, shown, log = run("raise DataError(asked='read rows', happened='none', affected='all', fix='bring some')")
    expected = (
        "DataError in rule measure:\n  asked:    read rows\n  happened: none\n  affected: all\n  fix:      bring some\n"
    )
    assert (code, shown, log) == (1, expected, expected)


def test_a_full_disk_is_a_storage_error_that_says_how_to_go_on(run):
    code, shown, log = run("Path('/dev/full').write_text('x')")
    assert code == 1
    assert shown == log
    assert shown.startswith("StorageError in rule measure:\n  asked:    run rule measure\n")
    assert "happened: No space left on device" in shown
    assert "fix:      free some space" in shown


@pytest.mark.parametrize(
    "cause",
    ["MemoryError('12 GiB')", "OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))", "RuntimeError('std::bad_alloc')"],
)
def test_memory_that_ran_out_is_said_with_the_limit_that_is_set_and_how_to_go_on(run, cause):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33)); "
    code, shown, log = run(f"{limit}raise {cause}")
    assert code == 1
    assert shown == log
    assert shown.startswith(
        "NoMemoryError in rule measure:\n  asked:    run rule measure\n  happened: memory ran out: "
    )
    assert "; a limit of 8,192 MiB is set on each process's memory (ulimit -v)\n" in shown
    assert "run the same command again" in shown
    assert "is set on" not in run(f"raise {cause}")[1]


def test_a_librarys_words_for_memory_that_ran_out_are_known_behind_another_error(run):
    said = "asked='build an engine', happened='Unexpected exception std::bad_alloc', affected='it', fix='other shapes'"
    code, shown, _ = run(f"from temper.errors import BackendError; raise BackendError({said})")
    assert code == 1
    assert shown.startswith(
        "NoMemoryError in rule measure:\n  asked:    build an engine\n  happened: memory ran out: Unexpected"
    )
    assert "other shapes" not in shown


def test_a_log_that_cannot_be_opened_is_said_too(tmp_path):
    program = PROGRAM.replace("with log_to", "import temper.logs.script_log as it; it.open = full\nwith log_to").format(
        code="pass"
    )
    full = "def full(*_, **__): raise OSError(28, 'No space left on device', 'logs/deep/rule.log')\n"
    done = subprocess.run([sys.executable, "-c", full + program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "StorageError in rule measure:" in done.stderr
    assert "happened: No space left on device: logs/deep/rule.log" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('a line of a library')", "StorageError in rule measure:"),
        ("Path('/dev/full').write_text('x')", "StorageError in rule measure:"),
        ("raise DataError(asked='read rows', happened='none', affected='all', fix='bring some')", "happened: none"),
        ("1 / 0", "happened: ZeroDivisionError"),
        ("raise KeyboardInterrupt", "measure: interrupted"),
    ],
    ids=["what it printed", "its own file", "an error of ours", "an unforeseen one", "Ctrl-C"],
)
def test_a_log_on_a_full_disk_takes_no_word_from_the_terminal(code, said, tmp_path):
    (tmp_path / "logs/deep").mkdir(parents=True)
    (tmp_path / "logs/deep/rule.log").symlink_to("/dev/full")
    command = [sys.executable, "-c", PROGRAM.format(code=code)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode in (1, 130)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unwritable_place_is_a_storage_error_that_names_it(run):
    code, shown, _ = run("raise OSError(errno.EACCES, os.strerror(errno.EACCES), 'artifacts/onnx')")
    assert code == 1
    assert "happened: Permission denied: artifacts/onnx" in shown
    assert "give yourself write permission" in shown


def test_a_module_that_is_not_installed_is_a_library_error_that_names_it(run):
    code, shown, log = run("import no_such_library.part")
    assert code == 1
    assert shown.startswith("LibraryError in rule measure:\n  asked:    run rule measure\n")
    assert "happened: it needs the Python module no_such_library, which is not installed in this" in shown
    assert "Traceback" not in log
    code, shown, log = run("import temper.no_such_part")
    assert "Unforeseen error in rule measure:" in shown


@pytest.mark.parametrize("cause", ["ValueError('what no one foresaw')", "OSError(errno.EIO, 'what no one foresaw')"])
def test_an_unforeseen_error_keeps_its_traceback_for_the_log(run, cause):
    code, shown, log = run(f"raise {cause}")
    assert code == 1
    assert "Traceback" not in shown
    assert "Unforeseen error in rule measure:" in shown
    assert "what no one foresaw" in shown
    assert "fix:      the traceback is in logs/deep/rule.log" in shown
    assert "Traceback (most recent call last)" in log
    assert shown in log


def test_ctrl_c_ends_with_130(run):
    code, shown, log = run("os.kill(os.getpid(), signal.SIGINT)")
    assert code == 130
    assert shown == log == "measure: interrupted; what it had begun to write was removed\n"


def test_sigterm_is_as_ctrl_c(run):
    code, shown, _ = run("os.kill(os.getpid(), signal.SIGTERM)")
    assert (code, shown) == (130, "measure: interrupted; what it had begun to write was removed\n")


def test_a_signal_that_comes_while_the_log_is_being_opened_ends_it_in_the_same_words(tmp_path):
    opens = (
        "import temper.logs.script_log as module; module.open = lambda *a, **k: os.kill(os.getpid(), signal.SIGTERM)"
    )
    program = PROGRAM.format(code="pass").replace("\nwith", f"\n{opens}\nwith")
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "measure: interrupted; what it had begun to write was removed\n"


@pytest.mark.parametrize("second", ["SIGINT", "SIGTERM"])
def test_a_second_signal_does_not_disturb_what_cleans_up(run, second):
    program = f"""
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        os.kill(os.getpid(), signal.{second})
        print("cleaned up", flush=True)"""
    code, shown, log = run(program)
    assert code == 130
    assert log == f"cleaned up\n{shown}"


@pytest.fixture
def on_a_terminal(tmp_path):
    """Runs code inside `log_to` with a terminal to look at; gives what the terminal gets, and the log."""

    def run(code):
        master, slave = pty.openpty()
        subprocess.run([sys.executable, "-c", PROGRAM.format(code=code)], cwd=tmp_path, stderr=slave, check=True)
        os.close(slave)
        shown = os.read(master, 100_000).decode().replace("\r\n", "\n")
        os.close(master)
        return shown, (tmp_path / "logs/deep/rule.log").read_text()

    return run


def test_what_a_job_waits_for_is_overwritten_on_a_terminal_and_cut_to_its_width(on_a_terminal, run):
    said = "say_passing('waits ' + 'x' * 200); say_passing('goes on')"
    shown, log = on_a_terminal(said)
    first, second = shown.split(CLEAR_LINE)[1:]
    assert (len(first), first[-1], second) == (WIDTH, "…", "goes on")
    assert "waits " + "x" * 200 in log
    assert run(said)[1].splitlines() == ["waits " + "x" * 200, "goes on"]


def test_what_a_person_should_have_read_stays_and_is_wrapped(on_a_terminal, run):
    said = "say_lasting('word ' * 30)"
    shown, log = on_a_terminal(said)
    lines = shown.removeprefix(CLEAR_LINE).splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= WIDTH
    assert "word " * 30 in log
    assert len(run(said)[1].splitlines()) == 1


def test_a_jobs_time_is_read_from_the_log_of_its_last_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert own_work_s(["job.log"]) is None
    (tmp_path / "job.log").write_text("a line\nown work: 1.000 s\nown work: 2.345 s\n")
    assert own_work_s(["job.log"]) == 2.345
    (tmp_path / "job.log").write_text("it failed\n")
    assert own_work_s(["job.log"]) is None
