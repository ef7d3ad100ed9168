"""The JSON schema of a study's params.yaml, for editors: names of keys, their types and choices while it is typed.

`python -m temper.study.editor_schema` writes params.schema.json anew from the closed schema and the options of each choice, and
the tables of keys in docs/params.md. It knows no rule between keys, and no key that is missing: `temper check` does.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, TypeAdapter

from temper.artifacts.manifest import write_text
from temper.environment import plugins
from temper.study import schema
from temper.study.descriptions import descriptions
from temper.study.names import NAME_PATTERN
from temper.study.resolve import DEFAULTS, RECIPES, defaults_version
from temper.study.sections.buckets import BucketsRow
from temper.study.sections.load_tests import LoadTestRow
from temper.study.sections.machines import MachineRow
from temper.study.sections.measurement import Analysis, Measurement
from temper.study.sections.model import ArchitectureModel, CheckpointModel
from temper.study.sections.optimize import OptimizeSection
from temper.study.sections.quantization_aware import QuantizationAwareRow
from temper.study.sections.searches import SearchRow

FILE = Path(__file__).with_name("params.schema.json")
REFERENCE = Path(__file__).parents[3] / "docs/params.md"
Json = dict[str, Any]
GIVEN = {  # keys that only a study gives, and no closed schema has
    DEFAULTS: "version of the defaults. A study without it is in the complete form, as records are filed: every key is given, "
    "and conversions stand in `precisions`, `calibrated_precisions` (with a calibration) and `searched_precisions` (with a "
    "search), engines of buckets in `bucketed_engines`",
    "recipe": "`quick`: FP32 and dynamic INT8 on ONNX Runtime, the static INT8 file of OpenVINO that was fastest on the "
    "CPUs of results/: a first table in minutes. `cpu`: FP32, dynamic INT8 and the static INT8 files of "
    "[quantising](quantising.md) on ONNX Runtime and OpenVINO. "
    "`gpu`: FP16, BF16 and INT8 engines with a static shape for each workload, PyTorch in FP16, torch.compile, all beside "
    "PyTorch in FP32 on the GPU (`baseline`). `everything`: both, beside PyTorch on the CPU. Rows of `candidates` add to it, "
    "change single keys of its rows, or leave one out (`openvino-int8-fast: null`)",
    "threads": "of the CPU backends that come with the defaults, and of rows that give no number",
    "like": "in any row: another row of its section, whose keys it takes where it gives none",
}
_TABLE = re.compile(r"^\| key \| meaning \|\n\| --- \| --- \|\n(?:\|.*\n)*", re.MULTILINE)


def meanings() -> dict[str, dict[str, str]]:
    """What keys mean, by section; '' has those at the top."""
    return {
        "": GIVEN | descriptions(schema.Study),
        "measurement": descriptions(Measurement),
        "analysis": descriptions(Analysis),
        "load_tests": descriptions(LoadTestRow),
        "optimize": descriptions(OptimizeSection),
    }


def reference(page: str) -> str:
    """docs/params.md with a table of each section's keys where it had one.

    Args:
        page: as it is.
    """
    parts = re.split(r"(?m)^(?=## )", page)
    for place, part in enumerate(parts):
        section = part.partition("\n")[0].removeprefix("## ") if place else ""
        if (said := meanings().get(section)) is not None:
            rows = "".join(f"| `{key}` | {meaning} |\n" for key, meaning in said.items())
            table = f"| key | meaning |\n| --- | --- |\n{rows}"
            parts[place] = _TABLE.sub(lambda _, table=table: table, part)
    return "".join(parts)


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


def _one(keys: Json, said: Mapping[str, str] = MappingProxyType({})) -> Json:
    """A closed mapping with these keys, all of which may be left out; `said` is what they mean."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {**inner, "description": said[name]} if name in said else inner for name, inner in keys.items()
        },
    }


def _rows(keys: Json, said: Mapping[str, str] = MappingProxyType({})) -> Json:
    """Rows by name; null leaves one out, and `like` names another."""
    row = _one({"like": {"type": "string"}, **keys}, {"like": GIVEN["like"], **said})
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
    made, fields, said = _Schema(), schema.Study.model_fields, meanings()
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
        "measurement": _one(made.keys((Measurement,)), said["measurement"]),
        "analysis": _one(made.keys((Analysis,)), said["analysis"]),
        "baseline": _one(made.keys((schema.BaselineRow,))),
        "candidates": _rows(made.keys((schema.CandidateRow,))),
        "machines": _rows(made.keys((MachineRow,))),
        "load_tests": _rows(made.keys((LoadTestRow,)), said["load_tests"]),
        "optimize": _one(made.keys((OptimizeSection,)), said["optimize"]),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "params.yaml of a study",
        "required": [DEFAULTS, "study", "data", "model"],
        **_one(sections, said[""]),
        "$defs": made.shared,
    }


def as_json(content: Json) -> str:
    """Text of the file."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write_text(FILE, as_json(editor_schema()))
    write_text(REFERENCE, reference(REFERENCE.read_text(encoding="utf-8")))
