"""A search whose processes are played: what it asks of them, and what it makes of how they end."""

import time

import numpy as np
import pytest
import yaml

from temper.errors import Unavailable
from temper.measurement.isolated import NoAnswer
from temper.measurement.watch import Busy
from temper.optimize import search as searching
from temper.optimize.points import Point
from temper.optimize.race import Rules
from temper.optimize.record import append
from temper.optimize.search import Search
from temper.optimize.taken import BASELINE
from temper.study.study import read_study

MS = {BASELINE: 8.0, "fast": 2.0, "wrong": 1.0, "slow": 9.0, "variant": 2.5}


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Points of made-up artifacts, each with a stated time for a call."""
    (tmp_path / "data/prepared").mkdir(parents=True)
    (tmp_path / "data/prepared/validation.parquet").write_bytes(b"rows")
    monkeypatch.setattr(Search, "_files", lambda self, loads: {"model.onnx": loads})
    with open("tests/workflow/params.tiny.yaml", encoding="utf-8") as stream:
        study = read_study(yaml.safe_load(stream))
    rules = Rules(arms=len(MS))
    found = Search(tmp_path, tmp_path / "record.jsonl", study, "b2-s16", 0.5, rules, say=lambda line: None)
    for name in MS:
        if name != "variant":
            found.add(Point(name, f"onnx/{name}", {"runner": "onnxruntime"}, name), {"threads": 2}, "installed")
    return found


class Played:
    """Processes that answer as the table above says; `ending` of a task and a point is raised once."""

    def __init__(self, search):
        self.search, self.asked, self.ending = search, [], {}

    def __call__(self, request, worker):
        self.asked.append(request["task"])
        if request["task"] == "answers":
            name = request["side"]["artifact"].rpartition("/")[2]
            if (ending := self.ending.pop(("answers", name), None)) is not None:
                raise ending
            lost = 20 if name == "wrong" else 0
            counted = {"rows": 500, "gained": 0, "lost": lost, "differing": lost}
            return counted if request["reference"] is not None else {"labels": [0, 1]}
        other = MS[request["incumbent"]["name"]]
        for number, side in enumerate(request["challengers"]):
            point = {"point": side["point"], "name": side["name"]}
            append(request["record"], {"kind": "opens", "conditions": request["conditions"], **point})
            if (ending := self.ending.pop(("turns", side["name"]), None)) is not None:
                raise ending
            noise = 1 + 0.01 * np.random.default_rng([number, len(self.asked)]).normal(size=(2, 8))
            taken = {
                "challenger": side["point"],
                "incumbent": request["incumbent"]["point"],
                "challenger_ms": (MS[side["name"]] * noise[0]).tolist(),
                "incumbent_ms": (other * noise[1]).tolist(),
            }
            append(request["record"], {"kind": "turns", "conditions": request["conditions"], **taken})
        return {}


@pytest.fixture
def played(search, monkeypatch):
    found = Played(search)
    monkeypatch.setattr(searching, "run_isolated", found)
    return found


def race(search, **more):
    return search.run(time.monotonic() + 60, **more)


def test_the_fastest_that_is_right_leads_and_only_who_would_lead_is_asked_for_answers(search, played):
    found = race(search)
    assert found.led == (BASELINE, "fast")
    assert found.open == {}
    assert "4.00 points lost" in search.taken.verdicts(0.5)["wrong"]
    assert set(search.taken.answers()) == {"wrong", "fast"}
    assert search.beside("slow", found)[0] == BASELINE


def test_what_was_timed_and_asked_is_not_again_and_another_budget_decides_by_it(search, played):
    race(search)
    played.asked.clear()
    assert race(search).incumbent == "fast"
    assert played.asked == []
    search.budget_points = 5.0
    assert race(search).incumbent == "wrong"
    assert "answers" not in played.asked


def test_one_that_crashes_is_out_by_name_and_the_others_go_on(search, played):
    played.ending["turns", "slow"] = NoAnswer("turns", "signal SIGSEGV", None)
    found = race(search)
    assert found.incumbent == "fast"
    assert "SIGSEGV" in search.taken.failed()["slow"]


def test_one_that_cannot_answer_is_out_with_its_reason(search, played):
    played.ending["answers", "fast"] = Unavailable("no such instruction")
    assert race(search).incumbent == BASELINE
    assert search.taken.verdicts(0.5)["fast"] == "no such instruction"


def test_others_on_the_machine_cost_time_and_no_turn(search, played):
    played.ending["turns", "wrong"] = Busy("the machine was busy", {})
    assert race(search).incumbent == "fast"
    assert search.busy == ["the machine was busy"]


def test_a_bound_puts_out_who_takes_longer_in_the_middle(search, played):
    search.most_ms = 1.5
    assert race(search).incumbent == BASELINE
    search.most_ms = 2.5
    assert race(search).incumbent == "fast"


def test_once_one_leads_its_variants_take_part_and_a_point_by_another_name_does_not(search, played):
    same, other = ({"runner": "onnxruntime", "options": {"threads": count}} for count in (2, 1))
    points = [Point("again", "onnx/fast", same, "fast"), Point("variant", "onnx/fast", other, "fast")]
    found = race(search, also=lambda name: points)
    assert "again" not in search.taken.points
    assert found.dropped["variant"].by == "fast"


def test_time_that_is_over_leaves_the_rest_open(search, played):
    found = search.run(time.monotonic() - 1)
    assert found.incumbent == BASELINE
    assert len(found.open) == 3
    assert played.asked == []


def test_the_fastest_float_file_that_changes_no_label_is_found(search, played):
    race(search)
    assert search.fastest_exact(search.standing()) == "fast"


def test_kernels_are_compiled_ahead_once_for_each_artifact_that_keeps_them(search, monkeypatch):
    def add(name, loads, **options):
        search.add(Point(name, loads, {"runner": "tensorrt_rtx"}, name), options, "installed")

    asked = []

    def run(request, worker, timeout_s):
        asked.append([side["options"] for side in request["sides"]])
        assert (request["task"], 0 < timeout_s <= 60) == ("kernels", True)
        raise NoAnswer("kernels", "signal SIGSEGV", None)  # who cannot be opened here is told where it is raced

    monkeypatch.setattr(searching, "run_isolated", run)
    assert search.compile_ahead(8, time.monotonic() + 60) == 0  # nothing here compiles
    monkeypatch.setattr(searching, "resolve_version", lambda library, asked: "1.6.1.120")
    add("rtx--a", "engines/a", runtime_cache=True)
    add("rtx-trimmed--a", "engines/a", runtime_cache=True, trim_padding=True)
    add("rtx--b", "engines/b", runtime_cache=False)
    add("rtx--c", "engines/c", runtime_cache=True)
    add("torch-eager", "checkpoint", device="cuda", mode="eager")
    for mode in ("unpadded", "compile"):
        add(f"torch-{mode}", "checkpoint", device="cuda", mode=mode)
    assert search.compile_ahead(8, time.monotonic() + 60) == 4
    assert sorted(map(len, asked)) == [1, 1, 1, 2]
    assert search.compile_ahead(8, time.monotonic() - 1) == 4  # no time is left: nothing is begun
    assert len(asked) == 4
