"""dvc.yaml of a study: one form for all, stages.yaml, and of a study that says `defaults` the rows that it resolves to.

The form takes a stage's rows from params.yaml (`foreach: ${engines}`). What a study with `defaults` leaves out does not stand
there, so its rows are written into dvc.yaml, with what a stage's files depend on: the ONNX row that an engine is built from, and
such. Where params.yaml says it, dvc.yaml points there (`${conversions.int8.calibration}`): `dvc exp run -S` of it works.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from temper.orchestration.jobs import checkout_of
from temper.reading.bounded import Unreadable, read_text
from temper.reading.yaml_file import parse_yaml, read_yaml
from temper.study.params_file import load_params
from temper.study.params_text import flow
from temper.study.resolve import is_complete, resolve

FORM = "src/temper/orchestration/stages.yaml"
PIPELINE, PARAMS = "dvc.yaml", "params.yaml"
_STAGES = re.compile(r"^  (?=\w+:$)", re.MULTILINE)
_FOREACH = re.compile(r"^    foreach: \$\{(\w+)\}\n", re.MULTILINE)
_ITEM = re.compile(r"\$\{item\.(\w+)\}")
_REFERENCE = re.compile(r"^\$\{([^}]+)\}$")
# where a study writes the rows that the complete form has under another name
_WRITTEN_IN = {
    **dict.fromkeys(("precisions", "calibrated_precisions", "searched_precisions"), "conversions"),
    "bucketed_engines": "engines",
}
_FOR_EACH_MACHINE = ("remeasure:", "report:")
HEAD = """\
# Written by `temper track` from params.yaml, not for editing: its first stage refuses rows that params.yaml has not. A stage is
# one job of the Snakefile. What a job depends on beside artifacts (its settings, code, versions, GPU) stands as a digest in
# settings.json, which the first stage asks of the Snakefile itself; so no stage can know less or more than its rule
# (docs/decisions/0008, 0046).
"""


def form(folder: str | Path = ".") -> str:
    """The text of the form, of the checkout that serves a folder."""
    return (checkout_of(folder) / FORM).read_text(encoding="utf-8")


def _found(content: Any, *keys: str) -> Any:
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def _written(given: Mapping[str, Any], section: str, *keys: str, value: str) -> str:
    """A value as dvc.yaml has it: where params.yaml says it, a pointer there."""
    path = (_WRITTEN_IN.get(section, section), *keys)
    return f"${{{'.'.join(path)}}}" if _found(given, *path) == value else value


def _stage(text: str, given: Mapping[str, Any], study: Mapping[str, Any]) -> str:
    """A stage of the form with its rows; '' where it has none."""
    text = text.replace(
        "${baseline.loads}", _written(given, "baseline", "loads", value=str(_found(study, "baseline", "loads")))
    )
    match = _FOREACH.search(text)
    if match is None:
        return text
    section, keys = match[1], dict.fromkeys(_ITEM.findall(text))
    rows = {
        name: {key: _written(given, section, name, key, value=str(row[key])) for key in keys}
        for name, row in study.get(section, {}).items()
    }
    lines = "".join(f"      {flow(name)}: {flow(row)}\n" for name, row in rows.items())
    return text.replace(match[0], f"    foreach:\n{lines}") if rows else ""


def _for_each(stage: str, places: Sequence[str]) -> str:
    """A stage that is run once for all candidates, as one for each machine: its files are its machine's."""
    name = stage.split(":")[0].strip()
    body = "".join(f"  {line}\n" if line else "\n" for line in stage.strip("\n").splitlines()[1:])
    for file in ("artifacts/jobs/remeasure", "artifacts/jobs/report", "artifacts/remeasurements"):
        body = body.replace(f"{file}.json", f"{file}/${{item}}.json")
    body = body.replace("artifacts/report/", "artifacts/report/${item}/").replace(
        f"temper job {name}", f"temper job {name} ${{item}}"
    )
    body = body.replace(f"[jobs.{name}]", f"['jobs.{name}.${{item}}']")
    return f"{name}:\n    foreach: {flow(list(places))}\n    do:\n{body}"


def _machines_of(study: Mapping[str, Any]) -> list[str]:
    """Machines that a study has a report for each; none where one report holds all its candidates."""
    named = list(dict.fromkeys(row.get("machine") for row in study["candidates"].values()))
    return named if len(named) > 1 else []


def pipeline_text(folder: str | Path = ".") -> str:
    """What dvc.yaml of the study in a folder should say.

    Raises:
        ConfigError: params.yaml cannot be read or resolved.
    """
    text, file = form(folder), Path(folder) / PARAMS
    given = load_params(file) if file.is_file() else {}
    if not isinstance(given, Mapping) or is_complete(given):
        return text
    _, *stages, last = _STAGES.split(text)
    last, params = last.split("\nparams:\n")
    study = resolve(given)
    filled = [_stage(stage, given, study).strip("\n") for stage in (*stages, last)]
    if places := _machines_of(study):
        filled = [_for_each(each, places) if each.startswith(_FOR_EACH_MACHINE) else each for each in filled]
        shown = "artifacts/report/trade_off.svg"
        pictures = [f"  - {shown.replace('report/', f'report/{place}/')}" for place in places]
        params = params.replace(f"  - {shown}", "\n".join(pictures))
    return HEAD + "stages:\n" + "\n\n".join(f"  {stage}" for stage in filled if stage) + f"\n\nparams:\n{params}"


def kept_paths(folder: str | Path = ".") -> list[str]:
    """Files and folders that DVC's cache keeps of the study in a folder: outputs of the stages of today's params.yaml.

    Raises:
        ConfigError: params.yaml cannot be read or resolved.
    """
    content, file = parse_yaml(pipeline_text(folder)), Path(folder) / PARAMS
    params = load_params(file) if file.is_file() else {}
    found: list[str] = []
    for stage in content["stages"].values():
        rows = stage.get("foreach", [""])
        if isinstance(rows, str):
            rows = _found(params, *rows.strip("${}").split(".")) or ()
        body = stage.get("do", stage)
        outs = [out for out in (*body.get("outs", ()), *body.get("metrics", ())) if isinstance(out, str)]
        found += [re.sub(r"\$\{(?:key|item)\}", str(row), out) for row in rows for out in outs]
    return list(dict.fromkeys(found))


def _plain(value: Any, params: Mapping[str, Any]) -> Any:
    """A part of dvc.yaml with the values that it points to in params.yaml."""
    if isinstance(value, Mapping):
        return {key: _plain(inner, params) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, params) for inner in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(?!item\b|key\b)([^}]+)\}", lambda match: str(_found(params, *match[1].split("."))), value)
    return value


def _read(text: str, folder: str | Path) -> Any:
    file = Path(folder) / PARAMS
    params = load_params(file) if file.is_file() else {}
    return _plain(parse_yaml(text), params if isinstance(params, Mapping) else {})


def is_current(folder: str | Path = ".") -> bool:
    """Whether dvc.yaml of the study in a folder has the stages of its params.yaml, however it is laid out."""
    try:
        there = read_text(Path(folder) / PIPELINE)
        return bool(_read(there, folder) == _read(pipeline_text(folder), folder))
    except Unreadable:
        return False


def has_other_rows_only(folder: str | Path = ".") -> bool:
    """Whether dvc.yaml is one that was written by this code for another params.yaml, and nobody's edit of it."""
    try:
        stages = read_yaml(Path(folder) / PIPELINE)["stages"]
        known = parse_yaml(form(folder))["stages"]
        return all(_without_rows(stage) == _without_rows(known.get(name)) for name, stage in stages.items())
    except (Unreadable, KeyError, TypeError, AttributeError):
        return False


def _without_rows(stage: Any) -> Any:
    """What of a stage is the same for every params.yaml: the baseline's artifact, a dependency, may stand in it too."""
    body = _found(stage, "do") or stage
    return {**body, "deps": len(body.get("deps", []))}
