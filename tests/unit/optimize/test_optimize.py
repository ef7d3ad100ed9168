"""The whole command with played processes: what is written, what is said, and what a second call does."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml

from temper.errors import ConfigError
from temper.measurement.machine_lock import FOLDER
from temper.optimize import optimize as command
from temper.optimize import search as searching
from temper.optimize.optimize import Wish, optimize
from temper.optimize.record import append
from temper.optimize.search import Search
from temper.report.decide.decided import UNDECIDED, Decision
from temper.study.study import read_study

WISH = Wish("latency", None, 0.3, None, 1.0, "2")
OPENVINO = "openvino-f32-static-trimmed"
FAST, EXACT, WRONG = f"{OPENVINO}--int8", f"{OPENVINO}--simplified", "ort-trimmed--int8"
MS = {"baseline": 8.0, FAST: 2.0, EXACT: 4.0, WRONG: 1.0}


def play(request, worker):
    """Processes of points that take the times above, any other 9 ms."""
    if request["task"] == "answers":
        artifact = request["side"]["artifact"]
        lost = 30 if request["side"]["runner"] == "onnxruntime" and artifact.endswith("/int8") else 0
        counted = {"rows": 500, "gained": 0, "lost": lost, "differing": lost + (1 if "int8" in artifact else 0)}
        return counted if request["reference"] is not None else {"labels": [0, 1]}
    for number, side in enumerate(request["challengers"]):
        noise = 1 + 0.01 * np.random.default_rng(number).normal(size=(2, 8))
        taken = {
            "challenger": side["point"],
            "incumbent": request["incumbent"]["point"],
            "challenger_ms": (MS.get(side["name"], 9.0) * noise[0]).tolist(),
            "incumbent_ms": (MS.get(request["incumbent"]["name"], 9.0) * noise[1]).tolist(),
        }
        append(request["record"], {"kind": "turns", "conditions": request["conditions"], **taken})
    return {}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study whose artifacts are made in no time; `asked` has what was asked of whom."""
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy("tests/workflow/params.tiny.yaml", folder / "params.yaml")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(command, "this_machine", lambda: command.Machine(2, (), 0))
    monkeypatch.setattr(command, "take_over", lambda folder, sources: 3)
    steps = {"applied": ["simplify"], "refused": {"gelu_tanh": "no Gelu"}, "masked": True}
    monkeypatch.setattr(command, "_steps", lambda trials, export, longest: steps)
    monkeypatch.setattr(Search, "_files", lambda self, loads: {"model.onnx": loads})
    monkeypatch.setattr(command.build, "is_made", lambda trials, artifact: artifact != "onnx/int8-products")
    monkeypatch.setattr(searching, "run_isolated", play)

    def make(trials, targets, **how):
        (trials / "data/prepared").mkdir(parents=True, exist_ok=True)
        (trials / "data/prepared/validation.parquet").write_bytes(b"rows")
        return True

    def confirm(goal, sources, cores):
        params = yaml.safe_load((goal / "params.yaml").read_text(encoding="utf-8"))
        assert set(params["candidates"]) == {"fastest", "exact"}
        (goal / "artifacts/report").mkdir(parents=True, exist_ok=True)
        own = replace(UNDECIDED, chosen="fastest", sentence="b2-s16: fastest, 4.00 ×.")
        decision = Decision("won", "baseline", 0.5, {"b2-s16": own}).as_json()
        (goal / "artifacts/report/decision.json").write_text(json.dumps(decision), encoding="utf-8")

    monkeypatch.setattr(command.build, "make", make)
    monkeypatch.setattr(command, "confirm", confirm)
    return folder


def test_the_fastest_that_is_right_is_taken_to_the_test_rows_and_what_was_tried_is_told(study):
    said = []
    answer = optimize(study, WISH, said.append)
    goal = study / "optimize/latency-b2-s16"
    found = json.loads((goal / "search.json").read_text(encoding="utf-8"))
    assert found["incumbents"] == ["baseline", FAST]
    assert found["exact"] == EXACT
    assert found["trials"][WRONG]["fate"] == "answers"
    assert found["trials"]["ort-trimmed--int8-products"]["fate"] == "not made"
    assert found["confirmed"]["chosen"] == "fastest"
    assert set(found["seconds"]) == {"making", "racing", "measuring"}
    assert found["minutes"] == WISH.minutes
    params = yaml.safe_load((goal / "params.yaml").read_text(encoding="utf-8"))
    assert params["candidates"]["fastest"]["loads"] == "onnx/int8"
    assert params["analysis"]["accuracy_budget_points"] == 0.3
    assert read_study(params).study == "tiny-latency-b2-s16"
    text = "\n".join(answer)
    assert f" ×  {FAST}: the fastest that is right" in text
    assert "On the test rows, with fresh calls: b2-s16: fastest" in text
    assert "mine/optimize/latency-b2-s16 --candidate fastest" in text
    assert re.fullmatch("Took .* in all: .* making artifacts, .* racing, .* measuring on the test rows.", answer[-1])
    assert (goal / "search.md").read_text(encoding="utf-8").startswith("| candidate | × as fast |")
    assert "gelu_tanh does not apply: no Gelu" in said
    assert f"In it fastest is {FAST} and exact, which changed no label of the validation rows, is {EXACT}." in answer


def test_what_the_race_found_is_there_where_the_rest_is_interrupted(study, monkeypatch):
    def confirm(goal, sources, cores):
        raise KeyboardInterrupt

    whole = command.confirm
    monkeypatch.setattr(command, "confirm", confirm)
    with pytest.raises(KeyboardInterrupt):
        optimize(study, WISH, lambda line: None)
    goal = study / "optimize/latency-b2-s16"
    found = json.loads((goal / "search.json").read_text(encoding="utf-8"))
    assert (found["incumbents"], "confirmed" in found) == (["baseline", FAST], False)
    assert "Nothing was measured on the test rows yet" in (goal / "search.md").read_text(encoding="utf-8")
    monkeypatch.setattr(command, "confirm", whole)
    optimize(study, WISH, lambda line: None)
    assert json.loads((goal / "search.json").read_text(encoding="utf-8"))["confirmed"]["chosen"] == "fastest"
    assert "Nothing was measured" not in (goal / "search.md").read_text(encoding="utf-8")


def test_asked_again_nothing_is_timed_again_and_a_smaller_budget_takes_another(study, monkeypatch):
    optimize(study, WISH, lambda line: None)
    record = study / "optimize/trials/record.jsonl"
    before = record.read_bytes()
    optimize(study, WISH, lambda line: None)
    assert record.read_bytes() == before
    optimize(study, Wish("latency", None, 90.0, None, 1.0, "2"), lambda line: None)
    found = json.loads((study / "optimize/latency-b2-s16/search.json").read_text(encoding="utf-8"))
    assert found["incumbents"][-1] == WRONG
    assert record.read_bytes().startswith(before)


def test_a_file_of_a_persons_own_in_a_searchs_place_stops_it(study):
    goal = study / "optimize/latency-b2-s16"
    goal.mkdir(parents=True)
    (goal / "params.yaml").write_text("study: mine\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        optimize(study, WISH, lambda line: None)
    assert "no search wrote" in caught.value.happened
    assert (goal / "params.yaml").read_text(encoding="utf-8") == "study: mine\n"


def test_what_the_study_asks_for_in_its_own_section_is_searched(study):
    params = yaml.safe_load((study / "params.yaml").read_text(encoding="utf-8"))
    params["optimize"] = {"traffic": "arrival", "batch_size": 3, "budget_points": 0.3, "minutes": 1.0}
    (study / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    optimize(study, Wish(cores="2"), lambda line: None)
    trials = yaml.safe_load((study / "optimize/trials/params.yaml").read_text(encoding="utf-8"))
    assert trials["workloads"] == {"b3-arrival": {"batch_size": 3, "real_lengths": "arrival"}}
    assert "optimize" not in trials
    found = json.loads((study / "optimize/latency-b3-arrival/search.json").read_text(encoding="utf-8"))
    assert (found["workload"], found["budget_points"], "price_per_hour" in found) == ("b3-arrival", 0.3, False)


@pytest.mark.parametrize(("labels", "title"), [("score", "a score"), ("embedding", "an embedding")])
def test_answers_that_are_not_right_or_wrong_are_not_raced(study, labels, title):
    params = yaml.safe_load((study / "params.yaml").read_text(encoding="utf-8"))
    params["data"]["labels"] = labels
    (study / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        optimize(study, WISH, lambda line: None)
    assert f"the study's answers are {title}" in caught.value.happened
    assert not (study / "optimize").exists()
