"""params.schema.json is what the closed schema says today, and takes every study that `temper check` takes."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from temper.studies.sections import SCHEMA
from temper.study.descriptions import descriptions
from temper.study.editor_schema import FILE, REFERENCE, as_json, editor_schema, meanings, reference
from temper.study.params_file import load_params
from temper.study.resolve import CONVERSIONS, ENGINES, spelt_out
from temper.study.schema import Study
from temper.study.sections.load_tests import LoadTestRow
from temper.study.sections.measurement import Analysis, Measurement
from temper.study.sections.optimize import OptimizeSection

ROOT = Path(__file__).parents[3]
STUDIES = [ROOT / "params.yaml", *sorted(ROOT.glob("studies/*/params.yaml"))]


@pytest.fixture(scope="module")
def wrong():
    """Messages about a study's content."""
    content = json.loads(FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(content)
    validator = jsonschema.Draft202012Validator(content)
    return lambda study: [error.message for error in validator.iter_errors(json.loads(json.dumps(study)))]


def test_the_file_is_what_is_written_today():
    today = as_json(editor_schema())
    assert FILE.read_text(encoding="utf-8") == today, "python -m temper.study.editor_schema writes it anew"
    assert (ROOT / "studies/one" / SCHEMA).resolve() == FILE  # where a new study looks for it


@pytest.mark.parametrize("params", STUDIES, ids=lambda path: path.parent.name)
def test_every_study_is_right_as_it_stands_and_with_every_value(wrong, params):
    content = load_params(params)
    assert wrong(content) == []
    assert wrong(spelt_out(content)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"recipes": "cpu"},
        {"recipe": "fast"},
        {"measurement": {"min_call": 9}},
        {"measurement": {"min_calls": "many"}},
        {"conversions": {"int8": {"step": "int8"}}},
        {"backends": {"ort-cpu": {"options": {"spining": True}}}},
        {"candidates": {"a name": None}},
    ],
)
def test_what_is_misspelt_is_seen_while_it_is_typed(wrong, change):
    assert wrong({**load_params(STUDIES[0]), **change})


def test_the_reference_has_the_keys_as_the_schemas_fields_say_them():
    page = REFERENCE.read_text(encoding="utf-8")
    assert reference(page) == page, "python -m temper.study.editor_schema writes it anew"
    for section, said in meanings().items():
        assert said, section
        assert all(f"| `{key}` | {meaning} |" in page for key, meaning in said.items())


@pytest.mark.parametrize(
    "model", [Measurement, Analysis, LoadTestRow, OptimizeSection], ids=lambda model: model.__name__
)
def test_every_field_of_a_section_with_a_table_says_what_it_means(model):
    assert list(descriptions(model)) == list(model.model_fields)


def test_an_editor_knows_every_section():
    # an editor is not told of the complete form: with `defaults` two sections hold them all
    complete_form = {*CONVERSIONS, *ENGINES}
    assert set(Study.model_fields) - complete_form <= set(editor_schema()["properties"])


def test_the_reference_names_every_key():
    text = re.sub(r"```.*?```", "", REFERENCE.read_text(encoding="utf-8"), flags=re.DOTALL)
    spans = " ".join(re.findall(r"`([^`]+)`", text))

    def keys(part):
        if isinstance(part, dict):
            yield from part.get("properties", {})
            for inner in part.values():
                yield from keys(inner)
        elif isinstance(part, list):
            for inner in part:
                yield from keys(inner)

    sections = editor_schema()["properties"]
    named = {key for key in keys(sections) if not re.search(rf"\b{key}\b", spans)}
    assert named == set()
    headings = " ".join(re.findall(r"^## (.*)$", text, re.MULTILINE))
    assert not {key for key in sections if not re.search(rf"\b{key}\b", f"{headings} {spans}")}
