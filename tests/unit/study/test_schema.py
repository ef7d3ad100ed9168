import inspect

import pytest
from pydantic import BaseModel, ValidationError

from temper.study import schema

MODELS = [
    kind
    for _, kind in inspect.getmembers(schema, inspect.isclass)
    if issubclass(kind, BaseModel) and kind is not BaseModel
]
# keys that say by their absence that the machine that plans is the one that measures, that a scheduler is asked for nothing, that
# the metric is the task's own, and that a search is asked by its command line alone: settings of jobs are held against those of
# before
BY_ABSENCE = {
    "Analysis": ["metric"],
    "CandidateRow": ["machine"],
    "Study": ["machines", "optimize"],
    "MachineRow": list(schema.MachineRow.model_fields),
    "OptimizeSection": list(schema.OptimizeSection.model_fields),
}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_section_is_closed_fixed_and_without_defaults(model):
    assert model.model_config["extra"] == "forbid"
    assert model.model_config["frozen"] is True
    optional = [key for key, field in model.model_fields.items() if not field.is_required()]
    assert optional == BY_ABSENCE.get(model.__name__, [])


@pytest.mark.parametrize("name", ["fp32", "int8-b12", "v1-6_x"])
def test_a_row_is_named_like_a_file(name):
    schema.CalibrationRow(method="minmax", samples=1, rows="drawn", onnx=name)


@pytest.mark.parametrize("name", ["", "-x", ".hidden", "a/b", "a b", "é", "x\n", "v1.6"])
def test_a_name_that_is_no_safe_file_name_is_refused(name):
    with pytest.raises(ValidationError, match="onnx"):
        schema.CalibrationRow(method="minmax", samples=1, rows="drawn", onnx=name)
