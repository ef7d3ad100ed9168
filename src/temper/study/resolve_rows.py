"""Rows of a study completed: what they are like, what they choose, what they name. Part of `temper.study.resolve`."""

from collections.abc import Mapping
from typing import Any

from temper.study.merging import mapping, merged
from temper.study.refusal import params_error

Section = dict[str, Any]
ROWS = ("exports", "calibration_methods", "calibrations", "conversions", "engines", "backends")
_CHOOSES = {"conversions": "step", "engines": "library", "backends": "runner"}  # the key of a row that says what it is
_SHAPES = ("min_shape", "opt_shape", "max_shape", "static_shapes", "buckets")
_NOISE = "torch-fp32"  # the baseline as a candidate, where it is a checkpoint; else:
_OTHER_NOISE = "baseline"
_PACKING_STEP = "pack_rows"


def written_out(section: str, rows: Any, known: Mapping[str, Any]) -> Any:
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
        return merged(model, own)

    return {name: written(name, ()) for name in rows}


def known_rows(section: str, known: Mapping[str, Any]) -> Section:
    """Rows of defaults.yaml that are there as soon as another one names them.

    Args:
        section: theirs.
        known: content of defaults.yaml.
    """
    return {**known["rows_unless_given"].get(section, {}), **known["rows"].get(section, {})}


class Rows:
    """Rows of a study, completed; what they name and defaults.yaml has comes with them."""

    def __init__(self, study: Section, known: Mapping[str, Any]) -> None:
        self._known = known
        self._own: dict[str, Mapping[str, Any]] = {}
        self.found: dict[str, Section] = {}
        for section in ROWS:
            self._own[section] = mapping(study.get(section, {}))
            self.found[section] = {}
        self._trained = mapping(study.get("quantization_aware"))
        self._longest = mapping(study.get("data")).get("max_tokens")
        for section, rows in self._own.items():
            for name, row in rows.items():
                if row is not None:
                    self._take(section, name)
                elif name not in known_rows(section, known):
                    self.found[section][name] = None  # nothing that could be left out: the schema says so

    def _complete(self, section: str, name: str) -> Any:
        given, own = name in self._own[section], self._own[section].get(name, {})
        base = (self._known["rows"].get(section, {}) if given else known_rows(section, self._known)).get(name, {})
        if not isinstance(own, Mapping):
            return own
        key = _CHOOSES.get(section)
        if key is not None and own.get(key, base.get(key)) != base.get(key):
            base = {}  # another step, library or runner: a row of one's own
        if any(shape in own for shape in _SHAPES):
            base = {key: value for key, value in base.items() if key not in _SHAPES}
        every = self._known["every_row"].get(section, {})
        said = merged(base, own)
        chosen = said.get(key, every.get(key)) if key is not None else None
        row = merged(merged(every, self._known["rows_by"].get(section, {}).get(str(chosen), {})), said)
        if section == "conversions" and chosen == _PACKING_STEP and isinstance(self._longest, int):
            row.setdefault("row_tokens", self._longest)  # behind the others: a row's keys keep their order
        return row

    def _take(self, section: str, name: Any) -> bool:
        """Take a row in, with those it names; False where neither the study nor defaults.yaml has it."""
        if name in self.found[section]:
            return True
        own, rows = self._own[section], known_rows(section, self._known)
        if own.get(name, ...) is None or (name not in own and name not in rows):
            return False
        row = self.found[section][name] = self._complete(section, name)
        self._follow(mapping(row))
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
        self._follow(mapping(row))
        kind, _, name = str(mapping(row).get("loads", "")).partition("/")
        if kind == "onnx":
            self.take_onnx(name)
        elif kind == "engines":
            self._take("engines", name)


def with_recipe(own: Any, recipe: Mapping[str, Any]) -> Any:
    """The recipe's candidates with the study's own over them; a row that is null is left out."""
    if not isinstance(own, Mapping):
        return own
    rows = {name: merged(recipe.get(name) or {}, row) if row is not None else None for name, row in own.items()}
    rows = {**{name: row for name, row in recipe.items() if name not in rows}, **rows}
    return {name: row for name, row in rows.items() if row is not None or (name not in recipe and name in own)}


def with_references(candidates: Mapping[str, Any], baseline: Mapping[str, Any], backends: Mapping[str, Any]) -> Section:
    """The candidates behind the two that every study has, unless it lists them: the null backend, the baseline itself.

    Of a study with `machines` each machine has the two; those of others than the first are called after their machine.
    """

    def null(row: Any) -> bool:
        return mapping(backends.get(str(mapping(row).get("backend")))).get("runner") == "null"

    def same(row: Any) -> bool:
        return all(mapping(row).get(key) == baseline.get(key) for key in ("backend", "loads"))

    implicit: Section = {}
    for number, machine in enumerate(dict.fromkeys(mapping(row).get("machine") for row in candidates.values())):
        own = [row for row in candidates.values() if mapping(row).get("machine") == machine]
        after, placed = f"-{machine}" if number else "", {} if machine is None else {"machine": machine}
        if not any(map(null, own)):
            implicit[f"harness{after}"] = {"backend": "harness", "loads": baseline.get("loads"), **placed}
        if not any(map(same, own)):
            name = f"{_NOISE if baseline.get('loads') == 'checkpoint' else _OTHER_NOISE}{after}"
            implicit[f"{_OTHER_NOISE}{after}" if name in candidates else name] = {**baseline, **placed}
    return {**{name: row for name, row in implicit.items() if name not in candidates}, **candidates}


def on_machines(study: Section) -> None:
    """Candidates and load tests of a study with `machines` that name none are measured on the first of them."""
    machines = mapping(study.get("machines"))
    if machines:
        study["machines"] = {name: {} if row is None else row for name, row in machines.items()}
    for section in ("candidates", "load_tests") if machines else ():
        for row in mapping(study[section]).values():
            if isinstance(row, dict):
                row.setdefault("machine", next(iter(machines)))


def complete_workloads(study: Section) -> None:
    longest = mapping(study["data"]).get("max_tokens")
    if mapping(study["model"]).get("task") == "text-classification" and longest is not None:
        for row in mapping(study["workloads"]).values():
            if isinstance(row, dict) and "real_lengths" not in row:
                row.setdefault("sequence_length", longest)


def _packed(name: str, conversions: Mapping[str, Any]) -> bool:
    seen: set[str] = set()
    while name not in seen and isinstance(row := conversions.get(name), Mapping):
        if row.get("step") == _PACKING_STEP:
            return True
        seen.add(name)
        name = str(row.get("onnx"))
    return False


def complete_engines(study: Section) -> None:
    """An engine without shapes gets a static one for each workload that it runs."""
    workloads = mapping(study["workloads"])
    for name, row in study["engines"].items():
        if not isinstance(row, dict) or any(key in row for key in _SHAPES):
            continue
        running = [mapping(other) for other in mapping(study["candidates"]).values()]
        used = {load for other in running if other.get("loads") == f"engines/{name}" for load in other["workloads"]}
        rows = {key: mapping(workloads[key]) for key in workloads if key in used or not used}
        uneven = [key for key, sizes in rows.items() if "real_lengths" in sizes]
        if uneven or _packed(str(row.get("onnx")), study["conversions"]):
            raise params_error(
                f"engines.{name} gives no shapes, and "
                + (f"workload {uneven[0]} has rows of many lengths" if uneven else "it takes packed rows"),
                "give static_shapes, min_shape with opt_shape and max_shape, or buckets",
            )
        axes = ("batch_size", "sequence_length")
        row["static_shapes"] = [[sizes[axis] for axis in axes if axis in sizes] for sizes in rows.values()]
