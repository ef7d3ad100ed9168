"""A params.yaml with what it leaves out: values and rows of defaults.yaml, its recipe, and what follows from what it says.

A study that says `defaults: 1` gives what differs. What comes out is the complete form, in which nothing has a default: the
schema checks it, the rules read it, the job records hold it. There conversions and engines stand in a section for each kind of
dependency, as a stage of DVC cannot leave one out (docs/decisions/0008). A study without `defaults:` is in the complete form.
"""

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from temper.params_file import load_params, params_error, parse_params

DEFAULTS = "defaults"  # the key by which a study says that it gives only what differs
FILE = Path(__file__).with_name("defaults.yaml")
CONVERSIONS = ("precisions", "calibrated_precisions", "searched_precisions")
ENGINES = ("engines", "bucketed_engines")
RECIPES = ("cpu", "gpu", "everything")
_SECTION_OF = {**dict.fromkeys(CONVERSIONS, "conversions"), "bucketed_engines": "engines"}
_CHOOSES = {"conversions": "step", "engines": "library", "backends": "runner"}  # the key of a row that says what it is
_ROWS = ("exports", "calibration_methods", "calibrations", "conversions", "engines", "backends")
_MERGED = ("data", "model", "measurement", "analysis", "baseline")  # sections that are one row: key by key
_SHAPES = ("min_shape", "opt_shape", "max_shape", "static_shapes", "buckets")
_ENDINGS = {"tsv": False, "csv": True, "jsonl": None, "parquet": None}  # format: whether fields may stand in quotes
_MOST_SAMPLES = 300
_NOISE = "torch-fp32"  # the baseline as a candidate, where it is a checkpoint; else:
_OTHER_NOISE = "baseline"
_ORDER = (
    *(
        "study",
        "seed",
        "data",
        "model",
        "train",
        "onnx_external_data",
        "exports",
        "calibration_methods",
        "calibrations",
    ),
    *("conversions", "searches", "quantization_aware", "buckets", "engines", "backends", "workloads", "measurement"),
    *("analysis", "baseline", "candidates", "load_tests"),
)
Section = dict[str, Any]


@cache
def _file() -> Section:
    content: Section = parse_params(FILE.read_text(encoding="utf-8"))
    return content


def _mapping(value: Any) -> Mapping[str, Any]:
    """A section to look into; what is none is left to the schema, which names it."""
    return value if isinstance(value, Mapping) else {}


def _merged(under: Any, over: Any) -> Any:
    """Two values, the second over the first: mappings key by key, all else as a whole."""
    if not (isinstance(under, Mapping) and isinstance(over, Mapping)):
        return copy.deepcopy(over)
    found = {key: _merged(under[key], value) if key in under else copy.deepcopy(value) for key, value in over.items()}
    return {**found, **{key: copy.deepcopy(value) for key, value in under.items() if key not in over}}


def _filled(value: Any, marks: Mapping[str, Any]) -> Any:
    """A value of defaults.yaml with the study's own in place of $threads and $export."""
    if isinstance(value, Mapping):
        return {key: _filled(inner, marks) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, marks) for inner in value]
    if isinstance(value, str) and "$" in value:
        return marks[value] if value in marks else value.replace("$export", str(marks["$export"]))
    return value


def _like(section: str, rows: Any, known: Mapping[str, Any]) -> Any:
    """Rows of a section with those that are `like` another one written out.

    Args:
        section: its name.
        rows: of the study.
        known: rows that come with defaults.yaml or the recipe.

    Raises:
        ConfigError: there is no such row, or rows are like each other.
    """
    if not isinstance(rows, Mapping):
        return rows

    def written(name: str, seen: tuple[str, ...]) -> Any:
        row = rows.get(name, known.get(name))
        if not isinstance(row, Mapping) or "like" not in row:
            return row
        other = row["like"]
        if not isinstance(other, str) or rows.get(other, known.get(other)) is None or other in (*seen, name):
            raise params_error(
                f"{section}.{name}.like is {other!r}, which is "
                + ("the row itself, by way of others" if other in (*seen, name) else f"no row of {section}"),
                f"name another row of {section}",
            )
        own = {key: value for key, value in row.items() if key != "like"}
        model = written(other, (*seen, name))
        if any(shape in own for shape in _SHAPES):
            model = {key: value for key, value in model.items() if key not in _SHAPES}
        return _merged(model, own)

    return {name: written(name, ()) for name in rows}


def defaults_version() -> int:
    """The version of the defaults that this Temper has."""
    return int(_file()["version"])


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
        raise params_error(
            "neither recipe nor candidates is given, so nothing would be measured",
            f"set recipe: to one of {', '.join(RECIPES)}, or list candidates",
        )


def _one_row_sections(section: Mapping[str, Any], values: Section, choices: Section) -> Section:
    """The sections that are no lists of rows, and single values."""
    study: Section = {key: value for key, value in section.items() if key not in (DEFAULTS, "recipe", "threads")}
    for key, value in values.items():
        if key != "threads":
            study[key] = _merged(value, study[key]) if key in _MERGED and key in study else study.get(key, value)
    model = study["model"] = dict(_mapping(study["model"])) or study["model"]
    train = study.get("train", {})
    if isinstance(model, dict):
        model.setdefault("source", "architecture" if "model_type" in model else "checkpoint")
    if isinstance(train, Mapping):
        untrained = not train and _mapping(model).get("source") == "checkpoint"
        study["train"] = {"method": "none" if untrained else "fine_tune", **train}
    for path, by in choices.items():
        name, key = path.split(".")
        study[name] = _merged(by.get(str(_mapping(study[name]).get(key)), {}), study[name])
    _complete_data(study["data"])
    for name in ("searches", "quantization_aware", "buckets", "load_tests"):
        study.setdefault(name, {})
    return study


def _complete_data(data: Any) -> None:
    """What follows from the files that a study names: their format, and whether rows are drawn to validate on."""
    if not isinstance(data, dict):
        return
    drawn = data.get("validation") is None and _mapping(data.get("splits")).get("validation") is None
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
            data[part] = {"columns": None, **file}
    ending = str(_mapping(data.get("train")).get("path", "")).rpartition(".")[2]
    if ending in _ENDINGS:
        data.setdefault("format", ending)
    if data.get("format") in _ENDINGS:
        data.setdefault("quoting", _ENDINGS[data["format"]])


class _Rows:
    """Rows of a study, completed; what they name and defaults.yaml has comes with them."""

    def __init__(self, study: Section, known: Mapping[str, Any]) -> None:
        self._known = known
        self._own: dict[str, Mapping[str, Any]] = {}
        self.found: dict[str, Section] = {}
        for section in _ROWS:
            self._own[section] = _mapping(study.get(section, {}))
            self.found[section] = {}
        self._trained = _mapping(study.get("quantization_aware"))
        for section, rows in self._own.items():
            for name, row in rows.items():
                if row is not None:
                    self._take(section, name)
                elif name not in known["rows"].get(section, {}):
                    self.found[section][name] = None  # nothing that could be left out: the schema says so

    def _complete(self, section: str, name: str) -> Any:
        own, base = self._own[section].get(name, {}), self._known["rows"].get(section, {}).get(name, {})
        if not isinstance(own, Mapping):
            return own
        key = _CHOOSES.get(section)
        if key is not None and own.get(key, base.get(key)) != base.get(key):
            base = {}  # another step, library or runner: a row of one's own
        if any(shape in own for shape in _SHAPES):
            base = {key: value for key, value in base.items() if key not in _SHAPES}
        every = self._known["every_row"].get(section, {})
        said = _merged(base, own)
        chosen = said.get(key, every.get(key)) if key is not None else None
        return _merged(_merged(every, self._known["rows_by"].get(section, {}).get(str(chosen), {})), said)

    def _take(self, section: str, name: Any) -> bool:
        """Take a row in, with those it names; False where neither the study nor defaults.yaml has it."""
        if name in self.found[section]:
            return True
        own, rows = self._own[section], self._known["rows"].get(section, {})
        if own.get(name, ...) is None or (name not in own and name not in rows):
            return False
        row = self.found[section][name] = self._complete(section, name)
        self._follow(_mapping(row))
        return True

    def _follow(self, row: Mapping[str, Any]) -> None:
        for key in ("onnx", "reference"):
            if isinstance(row.get(key), str):
                self.take_onnx(row[key])
        for key, section in (
            ("calibration", "calibrations"),
            ("method", "calibration_methods"),
            ("backend", "backends"),
        ):
            if isinstance(row.get(key), str):
                self._take(section, row[key])

    def take_onnx(self, name: str) -> None:
        """Take the row in that makes an ONNX file."""
        if name not in self._trained and not self._take("exports", name):
            self._take("conversions", name)

    def take_named(self, row: Any) -> None:
        """Take in what a candidate, the baseline, a load test or a row of another section names."""
        self._follow(_mapping(row))
        kind, _, name = str(_mapping(row).get("loads", "")).partition("/")
        if kind == "onnx":
            self.take_onnx(name)
        elif kind == "engines":
            self._take("engines", name)


def _candidates(own: Any, recipe: Mapping[str, Any]) -> Any:
    """The recipe's candidates with the study's own over them; a row that is null is left out."""
    if not isinstance(own, Mapping):
        return own
    rows = {name: _merged(recipe.get(name) or {}, row) if row is not None else None for name, row in own.items()}
    rows = {**{name: row for name, row in recipe.items() if name not in rows}, **rows}
    return {name: row for name, row in rows.items() if row is not None or (name not in recipe and name in own)}


def _with_references(candidates: Section, baseline: Mapping[str, Any], backends: Mapping[str, Any]) -> Section:
    """The candidates behind the two that every study has, unless it lists them: the null backend, the baseline itself."""

    def null(row: Any) -> bool:
        return str(_mapping(backends.get(_mapping(row).get("backend"))).get("runner")) == "null"

    def same(row: Any) -> bool:
        return all(_mapping(row).get(key) == baseline.get(key) for key in ("backend", "loads"))

    implicit: Section = {}
    if not any(map(null, candidates.values())):
        implicit["harness"] = {"backend": "harness", "loads": baseline.get("loads")}
    if not any(map(same, candidates.values())):
        name = _NOISE if baseline.get("loads") == "checkpoint" else _OTHER_NOISE
        implicit[_OTHER_NOISE if name in candidates else name] = dict(baseline)
    return {**{name: row for name, row in implicit.items() if name not in candidates}, **candidates}


def _complete_workloads(study: Section) -> None:
    longest = _mapping(study["data"]).get("max_tokens")
    if _mapping(study["model"]).get("task") == "text-classification" and longest is not None:
        for row in _mapping(study["workloads"]).values():
            if isinstance(row, dict) and "real_lengths" not in row:
                row.setdefault("sequence_length", longest)


def _packed(name: str, conversions: Mapping[str, Any]) -> bool:
    seen: set[str] = set()
    while name not in seen and isinstance(row := conversions.get(name), Mapping):
        if row.get("step") == "pack_rows":
            return True
        seen.add(name)
        name = str(row.get("onnx"))
    return False


def _complete_engines(study: Section) -> None:
    """An engine without shapes gets a static one for each workload that it runs."""
    workloads = _mapping(study["workloads"])
    for name, row in study["engines"].items():
        if not isinstance(row, dict) or any(key in row for key in _SHAPES):
            continue
        running = [_mapping(other) for other in _mapping(study["candidates"]).values()]
        used = {load for other in running if other.get("loads") == f"engines/{name}" for load in other["workloads"]}
        rows = {key: _mapping(workloads[key]) for key in workloads if key in used or not used}
        uneven = [key for key, sizes in rows.items() if "real_lengths" in sizes]
        if uneven or _packed(str(row.get("onnx")), study["conversions"]):
            raise params_error(
                f"engines.{name} gives no shapes, and "
                + (f"workload {uneven[0]} has rows of many lengths" if uneven else "it takes packed rows"),
                "give static_shapes, min_shape with opt_shape and max_shape, or buckets",
            )
        axes = ("batch_size", "sequence_length")
        row["static_shapes"] = [[sizes[axis] for axis in axes if axis in sizes] for sizes in rows.values()]


def _sorted(study: Section) -> Section:
    """The complete form: rows of conversions and of engines in a section for each kind of what they depend on."""
    parts: dict[str, Section] = {name: {} for name in (*CONVERSIONS, *ENGINES)}
    for name, row in study["conversions"].items():
        parts[_conversion_section(_mapping(row))][name] = row
    for name, row in study["engines"].items():
        parts["bucketed_engines" if "buckets" in _mapping(row) else "engines"][name] = row
    found: Section = {}
    for key in (*_ORDER, *(key for key in study if key not in _ORDER)):
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
    task = str(_mapping(section.get("model")).get("task", _file()["values"]["model"]["task"]))
    known = _merged(_file(), _file().get(task, {}))
    exports = list(_mapping(section.get("exports")))
    marks = {"$threads": section.get("threads", known["values"]["threads"]), "$export": next(iter(exports), "fp32")}
    known = _filled(known, marks)
    study = _one_row_sections(section, known["values"], known["choices"])
    recipe = section.get("recipe")
    names = [name for name in known["recipes"] if recipe in (name, "everything")]
    listed = {row: value for name in names for row, value in known["recipes"][name].items() if value is not None}
    for name in (*_ROWS, "buckets", "candidates", "load_tests", "searches", "quantization_aware"):
        if name in study:
            others = listed if name == "candidates" else known["rows"].get(name, {})
            study[name] = _like(name, study[name], others)
    study["candidates"] = _candidates(study.get("candidates", {}), listed)
    rows = _Rows(study, known)
    for key in ("candidates", "load_tests", "searches", "quantization_aware"):
        for row in _mapping(study[key]).values():
            rows.take_named(row)
    rows.take_named(study["baseline"])
    _complete_workloads(study)
    if isinstance(study["candidates"], Mapping) and isinstance(study["baseline"], Mapping):
        study["candidates"] = _with_references(study["candidates"], study["baseline"], rows.found["backends"])
        for row in study["candidates"].values():
            rows.take_named(row)
            if isinstance(row, dict):
                row.setdefault("workloads", list(_mapping(study["workloads"])))
    for row in _mapping(study["load_tests"]).values():
        if isinstance(row, dict):
            row.update(_merged(known["every_row"]["load_tests"], row))
    if not rows.found["exports"]:
        rows.take_onnx(marks["$export"])
    study |= {
        key: found if isinstance(study.get(key, {}), Mapping) else study[key] for key, found in rows.found.items()
    }
    most = _mapping(study["data"]).get("calibration_rows")
    for row in _mapping(study["calibrations"]).values():
        if isinstance(row, dict):
            row.setdefault("samples", min(_MOST_SAMPLES, most) if isinstance(most, int) else _MOST_SAMPLES)
    if isinstance(study["engines"], dict) and isinstance(study["conversions"], dict):
        _complete_engines(study)
        return _sorted(study)
    return study


def spelt_out(section: Mapping[str, Any]) -> Section:
    """A params.yaml in the words of studies, with every value: one section of conversions and one of engines.

    It is a study of its own: it resolves to what the first one does.
    """
    study = resolve(section)
    joined = {key: {name: row for part in parts for name, row in study.get(part, {}).items()} for key, parts in _JOINED}
    whole = {**study, **joined}
    ordered = (*_ORDER, *(key for key in whole if key not in _ORDER))
    kept = {key: whole[key] for key in ordered if key in whole and key not in _SECTION_OF and whole[key] != {}}
    return {DEFAULTS: _file()["version"], **kept}


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
    import re

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
