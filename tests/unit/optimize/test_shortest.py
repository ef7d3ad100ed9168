from temper.optimize.shortest import shortest
from temper.study.resolve import resolve

STUDY = {
    "defaults": 1,
    "study": "mine",
    "data": {
        **{"train": "data/raw/train.tsv", "test": "data/raw/test.tsv", "text": "text", "label": "label"},
        **{"label_names": ["no", "yes"], "max_tokens": 128},
    },
    "model": {"checkpoint": "data/raw/model"},
    "conversions": {
        "unguarded": {"step": "unguarded_softmax", "onnx": "fp32"},
        "one-token": {"step": "read_token", "onnx": "unguarded"},
        "mine": {"step": "simplify", "onnx": "one-token"},
    },
    "backends": {"fastest": {"runner": "openvino", "options": {"threads": 2, "shapes": "static"}}},
    "workloads": {"b1": {"batch_size": 1}},
    "analysis": {"accuracy_budget_points": 0.5},
    "candidates": {"fastest": {"backend": "fastest", "loads": "onnx/mine"}},
}


def test_what_the_defaults_say_as_well_goes_and_the_study_stays_what_it_was():
    found = shortest(STUDY)
    assert found["conversions"] == {"mine": {"step": "simplify", "onnx": "one-token"}}
    assert "backends" not in found
    assert found["candidates"]["fastest"]["backend"] == "openvino-static"
    assert "analysis" not in found
    assert _without_names(found) == _without_names(STUDY)


def _without_names(study):
    """What a study resolves to, each candidate with its backend in the place of its name."""
    whole = resolve(study)
    backends = whole.pop("backends")
    for row in (whole["baseline"], *whole["candidates"].values()):
        row["backend"] = backends[row["backend"]]
    return whole


def _on(**backends):
    """The study with these backends, a candidate on each."""
    candidates = {name: {"backend": name, "loads": "onnx/mine"} for name in backends}
    return {**STUDY, "backends": backends, "candidates": candidates}


def test_a_backend_of_the_defaults_has_their_name_and_no_other_ones():
    float32 = {"runner": "openvino", "options": {"threads": 2, "shapes": "static"}}
    bfloat16 = {"runner": "openvino", "options": {**float32["options"], "inference_precision": "bf16"}}
    study = _on(fastest=float32, exact=bfloat16, same=float32)
    found = shortest(study)
    assert {name: row["backend"] for name, row in found["candidates"].items()} == {
        **{"fastest": "openvino-static", "exact": "openvino-fast", "same": "openvino-static"}
    }
    assert _without_names(found) == _without_names(study)


def test_a_backend_with_one_option_of_its_own_is_like_one_of_the_defaults():
    own = {"runner": "openvino", "options": {"threads": 1, "shapes": "static", "trim_padding": True}}
    found = shortest(_on(fastest=own))
    assert found["backends"] == {"fastest": {"options": {"threads": 1}, "like": "openvino-static-trimmed"}}
    assert _without_names(found) == _without_names(_on(fastest=own))


def test_the_baselines_backend_keeps_its_row():
    own = {"runner": "openvino", "options": {"shapes": "static"}}
    study = {**_on(fastest=own), "baseline": {"backend": "fastest", "loads": "onnx/fp32"}}
    assert "fastest" in shortest(study)["backends"]


def test_what_differs_stays():
    study = {**STUDY, "analysis": {"accuracy_budget_points": 0.3}}
    assert shortest(study)["analysis"] == {"accuracy_budget_points": 0.3}
