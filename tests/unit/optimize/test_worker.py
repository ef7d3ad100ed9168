"""A search's tasks on the artifacts of a tiny study, in this process."""

import math
import time

import numpy as np
import pytest

from temper.backends.runner import Runner
from temper.optimize import worker
from temper.optimize.record import lines
from temper.optimize.worker import TASKS, log_ratios
from tests.tiny_study import SEED

MEASUREMENT = {
    "warmup_runs": 1,
    "calls_per_turn": 2,
    "distinct_batches": 2,
    "busy_share": 1.0,
    "max_duration_s": 5.0,
    "resamples": 200,
    "accuracy_batch_size": 8,
}
OPTIONS = {
    **{"execution_provider": "CPUExecutionProvider", "device_index": 0, "intra_op_threads": 1, "spinning": False},
    **{"graph_optimization": "all", "allow_cpu_fallback": False, "io_binding": False, "cuda_graph": False},
    **{"tf32": False, "profile_shapes": None},
}


def side(folder, name, **options):
    ran = {"runner": "onnxruntime", "artifact": str(folder), "options": {**OPTIONS, **options}, "version": "installed"}
    return {"name": name, "point": f"point of {name}", "side": ran, "log_ratios": []}


def request(tiny_study, record, **more):
    return {
        "name": "optimize b2",
        "data_folder": str(tiny_study.data),
        "workloads": {"b2": {"batch_size": 2, "sequence_length": 8}},
        "measurement": MEASUREMENT,
        "seed": SEED,
        "gpus": [],
        "wait_s": 0.0,
        "record": str(record),
        "conditions": "today",
        "rules": {"arms": 3, "margin": 0.02, "error": 0.05},
        "number": 1,
        "visit_blocks": 8,
        "seconds": 60.0,
        **more,
    }


def test_every_chunk_is_on_the_disk_and_one_that_cannot_run_keeps_nobody_else_from_it(tiny_study, tmp_path):
    record, fp32 = tmp_path / "record.jsonl", tiny_study.fp32
    absent = side(fp32, "absent", execution_provider="CUDAExecutionProvider")
    challengers = [absent, side(tiny_study.precision["int8_static"], "int8")]
    asked = request(tiny_study, record, incumbent=side(fp32, "fp32"), challengers=challengers)
    answer = TASKS["turns"](asked)
    found = list(lines(record))
    assert [line["kind"] for line in found[:3]] == ["opens", "failed", "opens"]
    assert found[1]["point"] == "point of absent"
    assert "ONNX Runtime" in found[1]["reason"]
    taken = [line for line in found if line["kind"] == "turns"]
    assert answer["visited"] == 1
    assert 1 <= len(taken) <= 2
    assert all(len(line["challenger_ms"]) == len(line["incumbent_ms"]) == 4 for line in taken)
    assert {(line["challenger"], line["incumbent"]) for line in taken} == {("point of int8", "point of fp32")}


class Paced(Runner):
    """Answers after a time, and counts its calls."""

    def __init__(self, call_s):
        self._call_s, self.calls = call_s, 0

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def infer(self, inputs):
        self.calls += 1
        time.sleep(self._call_s)
        return np.zeros((2, 2), np.float32)

    def describe(self):
        return {}


@pytest.mark.parametrize(
    ("calls_s", "calls"), [((0.01, 0.01), range(80, 130)), ((0.0, 0.3), range(4, 12))], ids=["as fast", "hopeless"]
)
def test_one_that_is_hopelessly_slow_takes_a_call_a_block(tiny_study, tmp_path, monkeypatch, calls_s, calls):
    record, runners = tmp_path / "record.jsonl", dict(zip(("fast", "other"), map(Paced, calls_s), strict=True))
    monkeypatch.setattr(worker, "opened", lambda side: runners[side["artifact"]])
    asked = {"incumbent": side("fast", "fast"), "challengers": [side("other", "other")]}
    many = {**MEASUREMENT, "calls_per_turn": 20, "warmup_runs": 20}
    TASKS["turns"](request(tiny_study, record, **asked, measurement=many, visit_blocks=4))
    (taken,) = [line for line in lines(record) if line["kind"] == "turns"]
    assert len(taken["challenger_ms"]) == 4
    assert runners["other"].calls in calls  # and those that warm it up


def test_no_turn_is_taken_once_time_is_over(tiny_study, tmp_path):
    record = tmp_path / "record.jsonl"
    asked = {
        "incumbent": side(tiny_study.fp32, "fp32"),
        "challengers": [side(tiny_study.fp32, "again")],
        "seconds": 0.0,
    }
    assert TASKS["turns"](request(tiny_study, record, **asked))["visited"] == 0
    assert list(lines(record)) == []


def test_answers_are_counted_against_the_float_files_on_validation_rows(tiny_study, tmp_path):
    own = request(tiny_study, tmp_path / "record.jsonl", side=side(tiny_study.fp32, "fp32")["side"])
    reference = TASKS["answers"]({**own, "reference": None})["labels"]
    assert len(reference) == 24  # of DATA in tests/tiny_study.py: not the 21 test rows
    again = TASKS["answers"]({**own, "reference": reference})
    assert again == {"rows": 24, "gained": 0, "lost": 0, "differing": 0}
    turned = TASKS["answers"]({**own, "reference": [1 - label for label in reference]})
    assert turned["differing"] == 24
    assert turned["gained"] + turned["lost"] == 24


def test_steps_are_tried_one_on_the_other_and_say_why_they_do_not_apply(tiny_study, tmp_path):
    found = TASKS["applies"]({"folder": str(tiny_study.fp32), "row_tokens": 24})
    assert {"read_token", "pack_rows"} <= set(found["applied"])
    again = TASKS["applies"]({"folder": str(tiny_study.precision["int8_static"]), "row_tokens": None})
    assert "fuse_qkv" in again["refused"]
    assert again["masked"] is True
    assert again["refused"]["fuse_qkv"]


def test_a_ratio_is_of_two_blocks_that_were_taken_together():
    assert log_ratios([1.0, 2.0], [2.0, 2.0]) == pytest.approx([-math.log(2), 0.0])


def test_an_artifacts_points_are_called_once_in_each_shape_so_that_kernels_are_compiled(
    tiny_study, tmp_path, monkeypatch
):
    called = []
    monkeypatch.setattr(worker, "warm_shapes", lambda runner, inputs: called.append(inputs.samples))
    sides = [side(tiny_study.fp32, name)["side"] for name in ("one", "other")]
    assert TASKS["kernels"](request(tiny_study, tmp_path / "record.jsonl", sides=sides)) == {}
    assert called == [[2, 2], [2, 2]]
    assert not (tmp_path / "record.jsonl").exists()
