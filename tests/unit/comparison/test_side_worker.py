"""What a side's process answers; test_side_by_side.py runs it."""

import gc
import json

import pytest

from temper.backends.runner import Runner
from temper.comparison import side_worker
from temper.comparison.side_worker import Answers
from temper.errors import ArtifactError, Unavailable
from tests.tiny_study import SEED
from tests.unit.measurement.test_measure import MEASUREMENT


class Counting(Runner):
    """A runner that counts its calls by their rows."""

    def __init__(self):
        self.called = []

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def describe(self):
        return {"library": "none"}

    def infer(self, inputs):
        self.called.append(len(inputs["input_ids"]))


@pytest.fixture
def answers(tiny_study):
    workloads = {f"b{size}": {"batch_size": size, "sequence_length": 8} for size in (2, 3)}
    request = {"data_folder": str(tiny_study.data), "workloads": workloads, "measurement": MEASUREMENT, "seed": SEED}
    return Answers(request, Counting())


def test_a_workload_is_made_and_its_shape_warmed_before_anything_is_timed(answers):
    told = answers.answer({"workload": "b3"})
    assert told["batches"] == MEASUREMENT["distinct_batches"]
    assert told["inputs_sha256"] != answers.answer({"workload": "b2"})["inputs_sha256"]
    assert answers._runner.called == [3, 2]


def test_a_timed_call_comes_after_one_that_is_not(answers):
    answers.answer({"workload": "b2"})
    answers._runner.called.clear()
    assert answers.answer({"call": 1})["ns"] >= 0
    assert answers._runner.called == [2, 2]


def test_errors_are_told_in_the_words_they_have():
    assert side_worker._reason(Unavailable("no GPU")) == "no GPU"
    assert side_worker._reason(ArtifactError(asked="a", happened="torn", affected="c", fix="d")) == "torn"
    assert side_worker._reason(ValueError("odd")) == "ValueError: odd"


def test_answers_are_json_lines_and_the_first_says_what_runs(monkeypatch, tiny_study):
    monkeypatch.setattr(side_worker, "open_side", lambda side: Counting())
    workloads = {"b2": {"batch_size": 2, "sequence_length": 8}}
    request = {"data_folder": str(tiny_study.data), "workloads": workloads, "measurement": MEASUREMENT, "seed": SEED}
    written = []
    commands = iter([json.dumps({"workload": "b2"}), json.dumps({"call": 0})])
    side_worker._served({**request, "side": {}}, commands, written.append)
    assert [sorted(line) for line in written] == [["ran"], ["batches", "inputs_sha256"], ["ns"]]
    assert gc.isenabled()  # what is off while it answers is on again after
