import os
import pty
import subprocess
import sys
from itertools import count

from temper.logs.progress import progress


def ticking(seconds):
    """A clock that every look moves on by so many seconds."""
    looks = count()
    return lambda: next(looks) * seconds


def test_a_pipe_gets_a_line_now_and_then_and_the_items_pass_in_order(capfd):
    assert list(progress(range(100), total=100, description="train", clock=ticking(1.0))) == list(range(100))
    lines = capfd.readouterr().err.splitlines()
    assert lines == [
        "train: 30 of 100 (30 %), about 1 min 10 s left",
        "train: 60 of 100 (60 %), about 40 s left",
        "train: 90 of 100 (90 %), about 10 s left",
    ]


def test_what_was_done_before_counts_and_what_is_beside_is_said(capfd):
    loop = progress(range(40), total=100, description="train", done=60, beside=lambda: "loss 0.5", clock=ticking(1.0))
    assert len(list(loop)) == 40
    assert capfd.readouterr().err.splitlines() == ["train: 90 of 100 (90 %), loss 0.5, about 10 s left"]


def test_what_is_soon_over_leaves_no_line_in_a_pipe(capfd):
    assert list(progress("abc", total=3, description="train")) == ["a", "b", "c"]
    assert capfd.readouterr().err == ""


def test_a_terminal_has_one_line_that_is_gone_at_the_end_while_the_log_stays_free_of_it(tmp_path):
    program = """
from itertools import count
from temper.logs.progress import progress
from temper.logs.script_log import log_to
looks = count()
with log_to("rule.log", "train"):
    print(list(progress(range(4), total=4, description="train", clock=lambda: float(next(looks)))))
"""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, stderr=slave, env=environment, check=True)
    os.close(slave)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert "train: 2 of 4 (50 %), about 2 s left" in shown
    assert shown.endswith("train: 4 of 4 (100 %)\r\x1b[K")
    assert "\n" not in shown
    assert (tmp_path / "rule.log").read_text().startswith("[0, 1, 2, 3]\n")
