"""`dvc push`, and what is said where it fails."""

import signal
import subprocess

import pytest

from temper.errors import ExperimentError
from temper.orchestration import push as module
from temper.orchestration.push import push


@pytest.fixture
def ends(monkeypatch, tmp_path):
    """Lets DVC end with an exit code; gives what it was asked."""
    monkeypatch.chdir(tmp_path)
    asked = []

    def end(code):
        monkeypatch.setattr(
            module,
            "dvc",
            lambda *arguments, module: asked.append(arguments) or subprocess.CompletedProcess(arguments, code),
        )
        return asked

    return end


def test_the_remote_is_the_named_one(ends):
    asked = ends(0)
    push()
    push(remote="shared")
    assert asked == [("push",), ("push", "--remote", "shared")]


def test_a_push_that_failed_says_what_the_remote_lacks_and_how_to_go_on(ends):
    ends(1)
    with pytest.raises(ExperimentError) as caught:
        push()
    assert caught.value.happened == "dvc push ended with exit code 1; what it said stands above"
    assert caught.value.affected.startswith("nothing of the study here")
    assert caught.value.fix.startswith("the same command again")


@pytest.mark.parametrize("code", [-signal.SIGINT, 130, 252])
def test_ctrl_c_is_no_failure_of_the_remote(ends, code):
    ends(code)
    with pytest.raises(KeyboardInterrupt):
        push()
