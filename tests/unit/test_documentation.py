"""docs/params.md names every key of the closed schema, and what README.md says is a params.yaml is one."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from temper.environment import plugins
from temper.study import schema
from temper.study.params_file import load_params
from temper.study.sections import model as model_options
from temper.study.sections.buckets import BucketsRow, TransformerCost
from temper.study.sections.load_tests import LoadTestRow
from temper.study.sections.quantization_aware import QuantizationAwareRow
from temper.study.study import read_study

PAGE = (Path(__file__).resolve().parents[2] / "docs/params.md").read_text(encoding="utf-8")
SECTIONS = (
    "ExportRow",
    "CalibrationRow",
    "EngineRow",
    "StaticEngineRow",
    "BucketedEngineRow",
    "BackendRow",
    "Measurement",
    "Analysis",
    "BaselineRow",
    "CandidateRow",
)
MODELS = ("TokenizerOptions", "ImageProcessorOptions", "ArchitectureModel", "CheckpointModel")


def keys(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_of_a_section_is_described(name):
    assert [key for key in sorted(keys(getattr(schema, name))) if f"`{key}`" not in PAGE] == []


@pytest.mark.parametrize("name", MODELS)
def test_every_key_of_the_model_section_is_described(name):
    assert [key for key in sorted(keys(getattr(model_options, name))) if key not in PAGE] == []


@pytest.mark.parametrize("folder", ["data", "training", "calibration", "steps", "backends"])
def test_every_choice_is_described_with_all_its_options(folder):
    for choice in plugins.names(folder):
        assert choice in PAGE, f"{folder}/{choice}"
        missing = [key for key in sorted(keys(plugins.load(folder, choice).Options)) if key not in PAGE]
        assert missing == [], f"{folder}/{choice}"


def test_every_top_level_key_is_described():
    assert [key for key in sorted(keys(schema.Study)) if key not in PAGE] == []


def test_every_key_of_training_with_fake_quantisation_is_described():
    assert [key for key in sorted(keys(QuantizationAwareRow)) if f"`{key}`" not in PAGE] == []


@pytest.mark.parametrize("model", [BucketsRow, TransformerCost], ids=lambda model: model.__name__)
def test_every_key_of_buckets_is_described(model):
    assert [key for key in sorted(keys(model)) if f"`{key}`" not in PAGE] == []


def test_every_key_of_a_load_test_is_described():
    assert [key for key in sorted(keys(LoadTestRow)) if f"`{key}`" not in PAGE] == []


def test_the_readmes_params_yaml_is_a_study_of_few_values(tmp_path):
    page = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    file = tmp_path / "params.yaml"
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    study = read_study(load_params(file))
    assert set(study.candidates) == {"harness", "torch-fp32", "ort-fp32", "ort-int8-dynamic", "openvino-int8-fast"}
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 20
