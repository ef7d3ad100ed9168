"""The JSON schema of a study's params.yaml, for editors: names of keys, their types and choices while it is typed.

`python -m temper.study.editor_schema` writes params.schema.json anew from the closed schema and the options of each choice.
It knows no rule between keys, and no key that is missing: `temper check` does.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from temper.artifacts.manifest import write_text
from temper.environment import plugins
from temper.study import schema
from temper.study.names import NAME_PATTERN
from temper.study.resolve import DEFAULTS, RECIPES, defaults_version
from temper.study.sections.buckets import BucketsRow
from temper.study.sections.load_tests import LoadTestRow
from temper.study.sections.measurement import Analysis, Measurement
from temper.study.sections.model import ArchitectureModel, CheckpointModel
from temper.study.sections.quantization_aware import QuantizationAwareRow
from temper.study.sections.searches import SearchRow

FILE = Path(__file__).with_name("params.schema.json")
REFERENCE = Path(__file__).parents[3] / "docs/params.md"  # what keys mean
Json = dict[str, Any]
_ROW = re.compile(r"^\| (?P<keys>(?:`\w+`(?:, )?)+) \| (?P<meaning>.*) \|$", re.MULTILINE)


def _meanings(section: str) -> dict[str, str]:
    """What docs/params.md says of keys, in the tables of a section; '' is the one before all."""
    text = REFERENCE.read_text(encoding="utf-8")
    part = text.partition(f"\n## {section}\n")[2] if section else text
    found: dict[str, str] = {}
    for row in _ROW.finditer(part.partition("\n## ")[0]):
        found |= dict.fromkeys(re.findall(r"`(\w+)`", row["keys"]), row["meaning"])
    return found


def _without_titles(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _without_titles(inner)
            for key, inner in value.items()
            if not (key == "title" and isinstance(inner, str))
        }
    return [_without_titles(inner) for inner in value] if isinstance(value, list) else value


class _Schema:
    """The schema as it grows: `shared` are the parts that several keys refer to."""

    def __init__(self) -> None:
        self.shared: Json = {}

    def of_type(self, type_: Any) -> Json:
        """The schema of a type."""
        made: Json = TypeAdapter(type_).json_schema(ref_template="#/$defs/{model}")
        self.shared |= _without_titles(made.pop("$defs", {}))
        return dict(_without_titles(made))

    def keys(self, models: Iterable[type[BaseModel]]) -> Json:
        """Keys of these models; of one that several have, whatever one of them allows."""
        allowed: dict[str, list[Json]] = {}
        for model in models:
            for name, inner in self.of_type(model).get("properties", {}).items():
                given = allowed.setdefault(name, [])
                if inner not in given:
                    given.append(inner)
        return {name: given[0] if len(given) == 1 else {"anyOf": given} for name, given in allowed.items()}

    def options(self, kind: str) -> list[type[BaseModel]]:
        """Models of the options of each choice of a kind."""
        return [plugins.load(kind, name).Options for name in plugins.names(kind)]


def _one(keys: Json, section: str = "") -> Json:
    """A closed mapping with these keys, all of which may be left out."""
    said = _meanings(section) if section else {}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {**inner, "description": said[name]} if name in said else inner for name, inner in keys.items()
        },
    }


def _rows(keys: Json, section: str = "") -> Json:
    """Rows by name; null leaves one out, and `like` names another."""
    row = _one({"like": {"type": "string", "description": _meanings("")["like"]}, **keys}, section)
    names = {NAME_PATTERN: {"anyOf": [row, {"type": "null"}]}}
    return {"type": "object", "additionalProperties": False, "patternProperties": names}


def _data(made: _Schema) -> Json:
    """The `data:` section, with what a study may write shorter: a file by its path, one column without a list."""
    keys = {**made.keys(made.options("data")), "source": {"enum": plugins.names("data")}}
    for name in ("train", "validation", "test"):
        keys[name] = {"anyOf": [{"type": ["string", "null"]}, keys[name], {"type": "object"}]}
    keys["text"] = {"anyOf": [{"type": "string"}, keys["text"]]}
    return _one(keys)


def editor_schema() -> Json:
    """The JSON schema, draft 2020-12."""
    made, fields = _Schema(), schema.Study.model_fields
    text = {"type": "string"}
    step = {"step": {"enum": plugins.names("steps")}, **dict.fromkeys(("onnx", "calibration", "search"), text)}
    runner = {"runner": {"enum": plugins.names("backends")}, "options": _one(made.keys(made.options("backends")))}
    engines = (schema.DynamicEngineRow, schema.StaticEngineRow, schema.BucketedEngineRow)
    sections: Json = {
        DEFAULTS: {"enum": [defaults_version()]},
        "recipe": {"enum": list(RECIPES)},
        "threads": {"type": "integer", "minimum": 1},
        **{name: made.of_type(fields[name].annotation) for name in ("study", "seed", "onnx_external_data")},
        "data": _data(made),
        "model": _one(
            {**made.keys((ArchitectureModel, CheckpointModel)), "source": {"enum": ["architecture", "checkpoint"]}}
        ),
        "train": _one({**made.keys(made.options("training")), "method": {"enum": plugins.names("training")}}),
        "exports": _rows(made.keys((schema.ExportRow,))),
        "calibration_methods": _rows(made.keys(made.options("calibration"))),
        "calibrations": _rows(made.keys((schema.CalibrationRow,))),
        "conversions": _rows({**step, **made.keys(made.options("steps"))}),
        "searches": _rows(made.keys((SearchRow,))),
        "quantization_aware": _rows(made.keys((QuantizationAwareRow,))),
        "buckets": _rows(made.keys((BucketsRow,))),
        "engines": _rows({**made.keys(engines), "library": {"enum": plugins.names("engines")}}),
        "backends": _rows({**made.keys((schema.BackendRow,)), **runner}),
        "workloads": made.of_type(fields["workloads"].annotation),
        "measurement": _one(made.keys((Measurement,)), "measurement"),
        "analysis": _one(made.keys((Analysis,)), "analysis"),
        "baseline": _one(made.keys((schema.BaselineRow,))),
        "candidates": _rows(made.keys((schema.CandidateRow,))),
        "load_tests": _rows(made.keys((LoadTestRow,)), "load_tests"),
    }
    said = _meanings("")
    top = {name: {**inner, "description": said[name]} if name in said else inner for name, inner in sections.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "params.yaml of a study",
        "required": [DEFAULTS, "study", "data", "model"],
        **_one(top),
        "$defs": made.shared,
    }


def as_json(content: Json) -> str:
    """Text of the file."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write_text(FILE, as_json(editor_schema()))
