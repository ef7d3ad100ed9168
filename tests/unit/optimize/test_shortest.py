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
    assert found["backends"] == {"fastest": {"runner": "openvino", "options": {"shapes": "static"}}}
    assert "analysis" not in found
    assert resolve(found) == resolve(STUDY)


def test_what_differs_stays():
    study = {**STUDY, "analysis": {"accuracy_budget_points": 0.3}}
    assert shortest(study)["analysis"] == {"accuracy_budget_points": 0.3}
