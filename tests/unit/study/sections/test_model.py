import pytest
from pydantic import ValidationError

from temper.study.sections.model import ArchitectureModel, CheckpointModel, model_options
from tests.tiny_study import MODEL

CHECKPOINT = {"task": "text-classification", "source": "checkpoint", "checkpoint": "a/b", "revision": None}


def test_the_source_decides_which_keys_a_model_has():
    assert isinstance(model_options(MODEL), ArchitectureModel)
    assert isinstance(model_options(CHECKPOINT), CheckpointModel)


@pytest.mark.parametrize(
    "section",
    [
        {**MODEL, "checkpoint": "a/b"},
        {**CHECKPOINT, "config": {}},
        {key: value for key, value in CHECKPOINT.items() if key != "revision"},
        {**MODEL, "source": "elsewhere"},
        {**MODEL, "task": "translation"},
        {**MODEL, "preprocessor": {**MODEL["preprocessor"], "algorithm": "wordpiece"}},
        {**MODEL, "preprocessor": {**MODEL["preprocessor"], "kind": "image_processor"}},
    ],
)
def test_keys_of_the_other_source_and_unknown_values_are_refused(section):
    with pytest.raises(ValidationError):
        model_options(section)
