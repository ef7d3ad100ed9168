"""The baseline's own rows stand beside those of a search."""

from pathlib import Path

import numpy as np
import pytest

from temper.optimize.baseline import baseline_of
from temper.optimize.space import Machine, space
from temper.optimize.steps import GRAPH_STEPS, PACKING
from temper.optimize.studies import trials_params, winner_params
from temper.study.params_file import load_params
from temper.study.resolve import spelt_out
from temper.study.study import read_study

SECTION = load_params(Path(__file__).parents[3] / "studies/distilbert-shape/params.yaml")
WORDS = spelt_out(SECTION)
LENGTHS = np.random.default_rng(0).integers(4, 70, 3000)


def of(workload):
    return space(
        export="op20",
        applied=(*GRAPH_STEPS, PACKING),
        machine=Machine(cores=16, precisions=(), gpus=1),
        longest=128,
        workload=WORDS["workloads"][workload],
        lengths=LENGTHS,
    )


@pytest.mark.parametrize("workload", ["b1-s128", "b12-s64", "b256-arrival"])
@pytest.mark.parametrize("engine", ["op23", "packed-tanh"])
def test_a_baseline_that_loads_an_engine_brings_all_that_makes_it(workload, engine):
    section = {**SECTION, "baseline": {"backend": "rtx", "loads": f"engines/{engine}"}}
    found = of(workload)
    study = read_study(trials_params(section, found, workload))
    assert study.baseline.loads == f"engines/{engine}"
    wish = {"study": "mine-fast", "budget_points": 0.5, "measurement": {}, "workload": workload, "space": found}
    point = next(point for point in found.points if point.loads.startswith("engines/"))
    winner = read_study(winner_params(section, points={"fastest": point}, **wish))
    assert winner.baseline.loads == f"engines/{engine}"


def test_a_row_that_the_search_calls_by_the_same_name_keeps_its_own_beside_it():
    words = {**WORDS, "baseline": {"backend": "rtx", "loads": "engines/tanh"}}
    found = of("b12-s64")
    assert found.conversions["tanh"] != words["conversions"]["tanh"]
    own = baseline_of(words, found)
    assert own.loads == "engines/tanh"  # the search has no engine of that name
    assert own.rows["conversions"]["tanh-of-the-study"] == words["conversions"]["tanh"]
    assert own.rows["engines"]["tanh"]["onnx"] in own.rows["conversions"]
    assert own.starts == "op23"
    assert "tanh" not in own.rows["conversions"]


def test_a_checkpoint_and_an_export_need_no_rows():
    for loads, starts in (("checkpoint", ""), ("onnx/op23", "op23")):
        own = baseline_of({**WORDS, "baseline": {"backend": "ort-cuda", "loads": loads}}, of("b12-s64"))
        assert (own.loads, own.starts) == (loads, starts)
        assert not any(own.rows.values())
