"""Sensitivities and the search, on layers with known losses; then on a real file."""

import json

import pytest

from temper.artifacts.manifest import read_manifest
from temper.artifacts.onnx_file import load
from temper.errors import ArtifactError, DataError
from temper.quantization.distance import Distance
from temper.quantization.layers import Layer, layers
from temper.quantization.record import read_search
from temper.quantization.search import BudgetNotMet, choice, search, search_layers, sensitivities
from temper.report.page.search_page import search_page


def distance(flips, mean=0.0, rows=100):
    return Distance(mean_logit_difference=mean, largest_logit_difference=mean, flips=flips, rows=rows)


class Losses:
    """A model whose quantised layers lose so many labels each; remembers what it was asked."""

    def __init__(self, **flips):
        self.flips = flips
        self.layers = [Layer(name, name, "MatMul") for name in flips]
        self.asked = []

    def __call__(self, kept):
        names = {layer.name for layer in kept}
        self.asked.append(names)
        flips = sum(own for name, own in self.flips.items() if name not in names)
        return distance(flips, mean=flips / 100)

    def found(self, **work):
        counted = {name: work.get(name, 10) for name in self.flips}
        return sensitivities(self.layers, counted, self, self([]), self(self.layers))


def test_each_layer_is_quantised_alone_and_left_out():
    model = Losses(a=3, b=0)
    found = {each.layer.name: each for each in model.found(a=7)}
    assert (found["a"].loss, found["a"].gain, found["a"].multiplications) == (0.03, 0.03, 7)
    assert (found["b"].loss, found["b"].gain) == (0.0, 0.0)
    assert len(model.asked) == 2 + 2 * 2


def run(model, budget, evaluations=50, **work):
    found = model.found(**work)
    model.asked.clear()
    trials = search(found, model, model([]), budget_points=budget, evaluations=evaluations)
    return choice(trials), trials


def test_a_file_within_the_budget_keeps_nothing_in_float():
    made, trials = run(Losses(a=1, b=0), 1.0)
    assert made.kept == ()
    assert len(trials) == 1


def test_the_layers_that_lose_most_for_their_work_stay_in_float():
    made, _ = run(Losses(a=5, b=1, c=9, d=0), 1.0)
    assert set(made.kept) == {"a", "c"}
    assert made.float_share == 0.5
    assert made.distance.flips == 1


def test_the_costly_one_is_quantised_again_where_the_rest_stays_within():
    # by gain for each multiplication: cheap (3/1), costly (4/10), rest (1/10)
    made, trials = run(Losses(costly=4, cheap=3, rest=1), 5.0, cheap=1)
    assert made.kept == ("cheap",)
    assert any("quantised again" in trial.why for trial in trials) or len(trials) <= 3


def test_it_stays_within_the_stated_evaluations():
    model = Losses(**{f"l{n:02}": n for n in range(40)})
    made, trials = run(model, 1.0, evaluations=5)
    assert made.within
    assert len(trials) <= 6 + 1


def test_a_budget_that_nothing_meets_names_the_nearest():
    with pytest.raises(BudgetNotMet) as caught:
        run(Losses(a=5, b=6), 1.0)
    assert caught.value.nearest.distance.flips == 5
    assert caught.value.nearest.kept == ("b",)


def test_the_budget_counts_in_per_cent_of_the_rows():
    assert run(Losses(a=1, b=0), 1.0)[0].kept == ()
    assert run(Losses(a=2, b=0), 1.0)[0].kept == ("a",)


ROW = {"onnx": "int8", "reference": "fp32", "rows": 24, "threads": 1, "budget_points": 99.0, "max_evaluations": 60}


@pytest.fixture
def arguments(tiny_study, tmp_path):
    return {
        "quantized_folder": str(tiny_study.precision["int8_nncf"]),
        "reference_folder": str(tiny_study.fp32),
        "data_folder": str(tiny_study.data),
        "folder": str(tmp_path / "search"),
        "row": ROW,
    }


def test_a_real_file_is_searched_and_the_record_lists_every_trial(tiny_study, arguments, tmp_path):
    search_layers(**arguments)
    found = read_search(tmp_path / "search")
    names = [each["layer"]["name"] for each in found["layers"]]
    assert set(names) <= {layer.name for layer in layers(load(tiny_study.fp32))}
    assert len(names) >= 4
    assert found["evaluations"] == 2 + 2 * len(names)
    assert found["none_quantized"]["mean_logit_difference"] < found["all_quantized"]["mean_logit_difference"]
    assert all(each["multiplications"] > 0 for each in found["layers"])
    assert found["keep_in_float"] == []  # at 99 % everything is within
    page = search_page("main", found)
    assert all(name in page for name in names)


def test_equal_searches_give_equal_bytes(arguments, tmp_path):
    search_layers(**arguments)
    search_layers(**{**arguments, "folder": str(tmp_path / "again")})
    assert (tmp_path / "search/search.json").read_bytes() == (tmp_path / "again/search.json").read_bytes()


def test_only_validation_rows_are_read(arguments, copy_of, tiny_study, tmp_path):
    data = copy_of(tiny_study.data)
    for split in ("test", "train", "calibration"):
        (data / f"{split}.parquet").unlink()
    search_layers(**{**arguments, "data_folder": str(data)})
    assert read_manifest(tmp_path / "search/search.json", kind="search")["made_from"].keys() == {
        "quantized model.onnx",
        "reference model.onnx",
        "validation.parquet",
    }


@pytest.mark.parametrize(
    ("change", "happened", "fix"),
    [
        ({"rows": 25}, "the validation split has 24", "raise data.validation_rows"),
        ({"max_evaluations": 3}, "layers take 2 each", "set max_evaluations to"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(arguments, change, happened, fix, tmp_path):
    with pytest.raises((ArtifactError, DataError)) as caught:
        search_layers(**{**arguments, "row": {**ROW, **change}})
    assert happened in caught.value.happened
    assert fix in caught.value.fix
    assert not (tmp_path / "search").exists()


def test_a_file_without_quantised_layers_is_refused(arguments, tiny_study):
    with pytest.raises(ArtifactError, match=r"none of its \d+ products is quantised"):
        search_layers(**{**arguments, "quantized_folder": str(tiny_study.fp32)})


def test_a_budget_that_nothing_meets_says_the_nearest(arguments, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "temper.quantization.distance.Judge.distance", lambda self, model: distance(flips=7, mean=0.5, rows=24)
    )
    monkeypatch.setattr("temper.quantization.distance.Judge.evaluations", 0, raising=False)
    with pytest.raises(ArtifactError) as caught:
        search_layers(**{**arguments, "row": {**ROW, "budget_points": 1.0}})
    assert "the nearest changes 7 labels" in caught.value.happened
    assert "raise budget_points to 29.17 or more" in caught.value.fix
    assert not (tmp_path / "search").exists()


def test_the_record_is_json_that_others_can_read(arguments, tmp_path):
    search_layers(**arguments)
    content = json.loads((tmp_path / "search/search.json").read_text())
    assert content["row"] == ROW
    assert {"kept", "float_share", "distance", "within", "why"} == set(content["chosen"])
