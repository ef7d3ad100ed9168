"""A params.yaml with what it leaves out: values and rows of defaults.yaml, its recipe, and what follows from what it says.

A study that says `defaults: 1` gives what differs. What comes out is the complete form, in which nothing has a default: the
schema checks it, the rules read it, the job records hold it. There conversions and engines stand in a section for each kind of
dependency, as a stage of DVC cannot leave one out (docs/decisions/0008). A study without `defaults:` is in the complete form.
"""

import copy
import difflib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from temper.study.merging import mapping, merged, ordered
from temper.study.params_file import load_params, parse_params
from temper.study.refusal import params_error
from temper.study.resolve_rows import (
    ROWS,
    Rows,
    complete_engines,
    complete_workloads,
    known_rows,
    on_machines,
    with_recipe,
    with_references,
    written_out,
)

DEFAULTS = "defaults"  # the key by which a study says that it gives only what differs
FILE = Path(__file__).with_name("defaults.yaml")
CONVERSIONS = ("precisions", "calibrated_precisions", "searched_precisions")
ENGINES = ("engines", "bucketed_engines")
RECIPES = ("quick", "cpu", "gpu", "everything")
_SECTION_OF = {**dict.fromkeys(CONVERSIONS, "conversions"), "bucketed_engines": "engines"}
_MERGED = ("data", "model", "measurement", "analysis", "baseline")  # sections that are one row: key by key
_ENDINGS = {"tsv": False, "csv": True, "jsonl": None, "parquet": None}  # format: whether fields may stand in quotes
_MOST_SAMPLES = 300
Section = dict[str, Any]


@cache
def _file() -> Section:
    content: Section = parse_params(FILE.read_text(encoding="utf-8"))
    return content


def _filled(value: Any, marks: Mapping[str, Any]) -> Any:
    """A value of defaults.yaml with the study's own in place of $threads and $export."""
    if isinstance(value, Mapping):
        return {key: _filled(inner, marks) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, marks) for inner in value]
    if isinstance(value, str) and "$" in value:
        return marks[value] if value in marks else value.replace("$export", str(marks["$export"]))
    return value


def defaults_version() -> int:
    """The version of the defaults that this Temper has."""
    return int(_file()["version"])


def rows_of_defaults(section: str) -> Section:
    """Rows that a study of texts need not give, as defaults.yaml has them."""
    return known_rows(section, _file())


def is_complete(section: Mapping[str, Any]) -> bool:
    """Whether a params.yaml gives everything itself, as all did before there were defaults."""
    return DEFAULTS not in section


def _check_form(section: Mapping[str, Any]) -> None:
    version, known = section[DEFAULTS], _file()["version"]
    if version != known or isinstance(version, bool):
        raise params_error(f"defaults is {version!r}; this Temper has the defaults {known}", f"set defaults: {known}")
    for key in _SECTION_OF:
        if key in section:
            raise params_error(
                f"{key} is a section of a study without `defaults`",
                f"move its rows to {_SECTION_OF[key]}: with `defaults` that one section holds all of them",
            )
    recipe = section.get("recipe")
    if recipe is not None and recipe not in RECIPES:
        raise params_error(f"recipe is {recipe!r}, which is not one of {', '.join(RECIPES)}", "name one of these")
    if not section.get("candidates") and recipe is None:
        others = [key for key in section if key not in ("recipe", "candidates")]
        for key in ("recipe", "candidates"):
            for meant in difflib.get_close_matches(key, map(str, others), n=1):
                raise params_error(f"{meant} is an unknown key; {key} is one", f"write {key} where {meant} stands")
        raise params_error(
            "neither recipe nor candidates is given, so nothing would be measured",
            f"set recipe: to one of {', '.join(RECIPES)}, or list candidates",
        )


def _one_row_sections(section: Mapping[str, Any], values: Section, choices: Section) -> Section:
    """The sections that are no lists of rows, and single values."""
    study: Section = {key: value for key, value in section.items() if key not in (DEFAULTS, "recipe", "threads")}
    for key, value in values.items():
        if key != "threads":
            study[key] = merged(value, study[key]) if key in _MERGED and key in study else study.get(key, value)
    model = study["model"] = dict(mapping(study["model"])) or study["model"]
    train = study.get("train", {})
    if isinstance(model, dict):
        model.setdefault("source", "architecture" if "model_type" in model else "checkpoint")
    if isinstance(train, Mapping):
        untrained = not train and mapping(model).get("source") == "checkpoint"
        study["train"] = {"method": "none" if untrained else "fine_tune", **train}
    for path, by in choices.items():
        name, key = path.split(".")
        study[name] = ordered(merged(by.get(str(mapping(study[name]).get(key)), {}), study[name]), (key,))
    _complete_data(study["data"])
    study["data"] = ordered(study["data"], _file()["order"]["data"])
    for name in ("searches", "quantization_aware", "buckets", "load_tests"):
        study.setdefault(name, {})
    return study


def _complete_data(data: Any) -> None:
    """What follows from the files that a study names: their format, and whether rows are drawn to validate on."""
    if not isinstance(data, dict):
        return
    drawn = data.get("validation") is None and mapping(data.get("splits")).get("validation") is None
    data.setdefault("validation_rows", 500 if drawn else None)
    data.setdefault("calibration_rows", _MOST_SAMPLES)
    if isinstance(data.get("text"), str):
        data["text"] = [data["text"]]
    if data.get("source") != "files":
        return
    for part in ("train", "validation", "test"):
        file = data.get(part)
        if isinstance(file, str):
            data[part] = {"path": file, "columns": None}
        elif isinstance(file, Mapping):
            data[part] = ordered({"columns": None, **file}, ("path", "columns"))
    ending = str(mapping(data.get("train")).get("path", "")).rpartition(".")[2]
    if ending in _ENDINGS:
        data.setdefault("format", ending)
    if data.get("format") in _ENDINGS:
        data.setdefault("quoting", _ENDINGS[data["format"]])


def _sorted(study: Section) -> Section:
    """The complete form: rows of conversions and of engines in a section for each kind of what they depend on."""
    parts: dict[str, Section] = {name: {} for name in (*CONVERSIONS, *ENGINES)}
    for name, row in study["conversions"].items():
        parts[_conversion_section(mapping(row))][name] = row
    for name, row in study["engines"].items():
        parts["bucketed_engines" if "buckets" in mapping(row) else "engines"][name] = row
    found: Section = {}
    for key in ordered(study, _file()["order"]["study"]):
        names = {"conversions": CONVERSIONS, "engines": ENGINES}.get(key, (key,))
        found |= {name: parts.get(name, study.get(name)) for name in names if name in parts or name in study}
    return found


def _conversion_section(row: Mapping[str, Any]) -> str:
    if "calibration" not in row:
        return "precisions"
    return "searched_precisions" if "search" in row else "calibrated_precisions"


def resolve(section: Mapping[str, Any]) -> Section:
    """The complete form of a params.yaml; one that is complete already as it is.

    Args:
        section: its content. What has a wrong type is handed on: the schema, which comes after, names it.

    Raises:
        ConfigError: defaults of another version, no such recipe, or an engine whose shapes follow from nothing.
    """
    if is_complete(section):
        return dict(section)
    _check_form(section)
    section = copy.deepcopy(dict(section))  # rows are completed where they stand
    task = str(mapping(section.get("model")).get("task", _file()["values"]["model"]["task"]))
    known = merged(_file(), _file().get(task, {}))
    exports = list(mapping(section.get("exports")))
    marks = {"$threads": section.get("threads", known["values"]["threads"]), "$export": next(iter(exports), "fp32")}
    known = _filled(known, marks)
    recipe = section.get("recipe")
    values = merged(known["values"], known["values_by_recipe"].get(recipe, {}))
    study = _one_row_sections(section, values, known["choices"])
    names = [name for name in known["recipes"] if recipe == name or (recipe == "everything" and name != "quick")]
    listed = {row: value for name in names for row, value in known["recipes"][name].items() if value is not None}
    for name in (*ROWS, "buckets", "candidates", "load_tests", "searches", "quantization_aware"):
        if name in study:
            others = listed if name == "candidates" else known_rows(name, known)
            study[name] = written_out(name, study[name], others)
    study["candidates"] = with_recipe(study.get("candidates", {}), listed)
    rows = Rows(study, known)
    for key in ("candidates", "load_tests", "searches", "quantization_aware"):
        for row in mapping(study[key]).values():
            rows.take_named(row)
    rows.take_named(study["baseline"])
    complete_workloads(study)
    on_machines(study)
    if isinstance(study["candidates"], Mapping) and isinstance(study["baseline"], Mapping):
        study["candidates"] = with_references(study["candidates"], study["baseline"], rows.found["backends"])
        for row in study["candidates"].values():
            rows.take_named(row)
            if isinstance(row, dict):
                row.setdefault("workloads", list(mapping(study["workloads"])))
    for row in mapping(study["load_tests"]).values():
        if isinstance(row, dict):
            whole = ordered(merged(known["every_row"]["load_tests"], row), known["order"]["load_tests"])
            row.clear()
            row.update(whole)
    if not rows.found["exports"]:
        rows.take_onnx(marks["$export"])
    study |= {
        key: found if isinstance(study.get(key, {}), Mapping) else study[key] for key, found in rows.found.items()
    }
    most = mapping(study["data"]).get("calibration_rows")
    for row in mapping(study["calibrations"]).values():
        if isinstance(row, dict):
            row.setdefault("samples", min(_MOST_SAMPLES, most) if isinstance(most, int) else _MOST_SAMPLES)
    if isinstance(study["engines"], dict) and isinstance(study["conversions"], dict):
        complete_engines(study)
        return _sorted(study)
    return study


def spelt_out(section: Mapping[str, Any]) -> Section:
    """A params.yaml in the words of studies, with every value: one section of conversions and one of engines.

    It is a study of its own: it resolves to what the first one does.
    """
    study = resolve(section)
    joined = {key: {name: row for part in parts for name, row in study.get(part, {}).items()} for key, parts in _JOINED}
    whole = {**study, **joined}
    kept = {key: value for key, value in whole.items() if key not in _SECTION_OF and value != {}}
    return {DEFAULTS: _file()["version"], **ordered(kept, _file()["order"]["study"])}


_JOINED = (("conversions", CONVERSIONS), ("engines", ENGINES))


def in_words_of_studies(text: str) -> str:
    """What a check says of the complete form, in the words of a study that says `defaults`."""
    for old, new in _WORDS:
        text = text.replace(old, new)
    for part, name in _SECTION_OF.items():
        text = text.replace(part, name) if part != "precisions" else _replaced_word(text, part, name)
    return text


_WORDS = (
    ("exports, precisions, calibrated_precisions, searched_precisions or quantization_aware",
     "exports, conversions or quantization_aware"),
    ("engines or bucketed_engines", "engines"),
    ("move the row to calibrated_precisions, or", "remove its search, or"),
    ("move the row to calibrated_precisions", "name its calibration"),
    ("move the row to precisions", "remove its calibration"),
    ("give the numbers of rows in static_shapes, under engines", "give the numbers of rows in static_shapes"),
)  # fmt: skip


def _replaced_word(text: str, word: str, by: str) -> str:
    return re.sub(rf"\b{word}\b(?!/)", by, text)


def load_resolved(file: str | Path) -> Section:
    """The complete form of a params file.

    Raises:
        ConfigError: it cannot be read or resolved, or holds no keys.
    """
    content = load_params(file)
    if not isinstance(content, Mapping):
        raise params_error(f"{file} holds no keys", "start from the params.yaml of this repository")
    return resolve(content)
