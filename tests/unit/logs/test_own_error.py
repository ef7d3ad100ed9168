"""What a job that failed has said itself, by its log."""

import os
import subprocess
import sys

import pytest

from temper.logs.own_error import happened
from temper.logs.script_log import TRIED

JOB = """
import sys
from temper.errors import ArtifactError
from temper.logs.script_log import log_to
refused = ArtifactError(asked="apply it", happened="logits differ\\nby 0.1", affected="this file", fix="drop\\nthe row")
errors = {"refused": refused, "unforeseen": KeyError("x"), "interrupted": KeyboardInterrupt()}
with log_to(sys.argv[1], "convert"):
    print("happened: nothing yet")
    if sys.argv[2] in errors:
        raise errors[sys.argv[2]]
"""


@pytest.fixture
def log(tmp_path):
    return tmp_path / "logs/convert/int8.log"


def run(log, how, **more):
    """A job that ends so; what it showed."""
    command = [sys.executable, "-c", JOB, str(log), how]
    return subprocess.run(command, env={**os.environ, **more}, capture_output=True, text=True, check=False).stderr


def test_the_error_in_four_parts_is_the_jobs_own(log):
    assert happened([log]) is None
    for how, words in (
        *(("refused", "logits differ"), ("unforeseen", "KeyError: 'x'")),
        *(("interrupted", "interrupted"), ("well", None)),
    ):
        run(log, how)
        assert happened([log]) == words


def test_what_a_job_before_it_said_is_not(log):
    run(log, "refused")
    assert happened([log], since=log.stat().st_mtime + 1) is None
    assert happened([log], since=log.stat().st_mtime - 1) == "logits differ"


@pytest.mark.parametrize("how", ["refused", "unforeseen", "interrupted"])
def test_the_error_of_a_job_that_is_tried_is_in_its_log_alone(log, how):
    assert run(log, how) != ""
    assert run(log, how, **{TRIED: "1"}) == ""
    assert happened([log]) is not None
