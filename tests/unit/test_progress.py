import os
import pty
import subprocess
import sys

from temper.progress import progress


def test_a_pipe_gets_ten_lines_and_the_items_pass_in_order(capfd):
    assert list(progress(range(95), total=95, description="train")) == list(range(95))
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "train: 10/95"
    assert lines[-1] == "train: 95/95"


def test_few_items_get_a_line_each(capfd):
    assert list(progress("abc", total=3, description="train")) == ["a", "b", "c"]
    assert capfd.readouterr().err.splitlines() == ["train: 1/3", "train: 2/3", "train: 3/3"]


def test_a_terminal_gets_a_bar_while_the_log_stays_free_of_it(tmp_path):
    program = """
from temper.progress import progress
from temper.script_log import log_to
with log_to("rule.log", "train"):
    print(list(progress(range(4), total=4, description="train")))
"""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, stderr=slave, env=environment, check=True)
    os.close(slave)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert "train" in shown
    assert "100%" in shown
    assert (tmp_path / "rule.log").read_text().startswith("[0, 1, 2, 3]\n")
