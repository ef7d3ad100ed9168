import pytest
from pydantic import ValidationError

from temper.errors import ConfigError
from temper.study.resolve import resolve
from temper.study.sections.machines import MachineRow, resources_of
from temper.study.study import read_study

SHORT = {
    "defaults": 1,
    "study": "two",
    "data": {"source": "synthetic", "train_rows": 200, "test_rows": 40, "label_noise": 0.0, "max_tokens": 32}
    | {"validation_rows": 20, "calibration_rows": 16},
    "model": {
        "model_type": "distilbert",
        "preprocessor": {"kind": "tokenizer", "algorithm": "bpe", "vocabulary_size": 300},
    }
    | {"config": {"dim": 16, "hidden_dim": 32, "n_layers": 1, "n_heads": 2, "max_position_embeddings": 32}},
    "machines": {"small": {"partition": "cpu", "cores": 2}, "large": None},
    "candidates": {
        "int8": {"backend": "ort-cpu", "loads": "onnx/int8"},
        "int8-large": {"backend": "ort-cpu", "loads": "onnx/int8", "machine": "large"},
    },
}


def test_each_machine_has_the_baseline_and_the_null_backend_of_its_own():
    study = read_study(SHORT)
    assert study.places == {
        "small": ("harness", "torch-fp32", "int8"),
        "large": ("harness-large", "torch-fp32-large", "int8-large"),
    }
    assert [study.baseline_on(place) for place in study.places] == ["torch-fp32", "torch-fp32-large"]
    assert study.jobs["report"] == study.jobs["remeasure"] == ("small", "large")


def test_a_study_on_one_named_machine_has_one_report():
    only = {**SHORT, "machines": {"small": {}}, "candidates": {"int8": SHORT["candidates"]["int8"]}}
    study = read_study(only)
    assert study.jobs["report"] == ("",)
    assert {row.machine for row in study.candidates.values()} == {"small"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"candidates": {"int8": {"backend": "ort-cpu", "loads": "onnx/int8", "machine": "other"}}}, "other"),
        ({"machines": {**SHORT["machines"], "idle": {}}}, "machines.idle"),
        ({"machines": {"small": {"cores": 0}, "large": {}}}, "machines.small.cores"),
        ({"machines": {"small": {"partition": "a b"}, "large": {}}}, "machines.small.partition"),
    ],
)
def test_rows_that_go_wrong_are_named(changes, said):
    with pytest.raises(ConfigError) as caught:
        read_study({**SHORT, **changes})
    assert said in caught.value.happened


def test_the_complete_form_knows_one_machine():
    with pytest.raises(ConfigError) as caught:
        read_study(resolve(SHORT))
    assert "defaults: 1" in caught.value.fix


def test_what_is_timed_has_its_node_for_itself_unless_its_row_says_otherwise():
    row = MachineRow(partition="gpu", constraint="h200&nvlink", cores=8)
    asked = {key: value for key, value in resources_of(row, timed=True).items() if value is not None}
    assert asked == {"slurm_partition": "gpu", "constraint": "h200&nvlink", "slurm_extra": "--exclusive"}
    assert resources_of(row, timed=False)["slurm_extra"] is None
    assert resources_of(MachineRow(exclusive=False), timed=True)["slurm_extra"] is None


@pytest.mark.parametrize("word", ["a b", "a;rm", "$(x)", "'", "a`b`"])
def test_a_word_for_a_scheduler_holds_nothing_that_a_shell_reads(word):
    with pytest.raises(ValidationError):
        MachineRow(constraint=word)
