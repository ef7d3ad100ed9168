"""What the checks of params.yaml have in common: a section against its schema, a row that is named, a file that is chosen."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from temper.environment import plugins
from temper.errors import ConfigError, in_plain_words
from temper.study.refusal import params_error
from temper.study.schema import DYNAMIC_ENGINE, ENGINE_FORMS

_MUST = "has to be "
_IN_OUR_WORDS = {  # of pydantic's kinds of findings
    **{"missing": "is missing", "extra_forbidden": "is an unknown key"},
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), f"{_MUST}keys with values"),
}
Schema = TypeVar("Schema", bound=BaseModel)


def strictly(schema: type[Schema], section: Mapping[str, Any]) -> Schema:
    """Check a section with no conversion: text is no number, and true is not 1."""
    schema.model_validate(dict(section))  # keys of rows too: JSON would make text of every key
    return schema.model_validate_json(json.dumps(section, default=str), strict=True)


def _key_path(place: str, location: tuple[int | str, ...]) -> str:
    """The key's full path, without the kinds of model and preprocessor that pydantic puts among the keys."""
    # a value that may be of several types has pydantic's name of each in its path
    kinds = ("constrained-", "literal[", "LabelRows", "TransformerCost", *ENGINE_FORMS.values(), DYNAMIC_ENGINE)
    parts = [str(part) for part in location if not str(part).startswith(kinds)]
    if parts[:1] == ["model"]:
        if parts[2:3] == ["preprocessor"]:
            del parts[3:4]
        del parts[1:2]
    return ".".join([place, *parts] if place else parts)


def _one_sentence(texts: list[str]) -> str:
    """What is said of one value: 'has to be a or b'."""
    if not all(text.startswith(_MUST) for text in texts):
        return ", ".join(texts)
    return _MUST + " or ".join(text.removeprefix(_MUST) for text in texts)


def explain(error: ValidationError, place: str) -> ConfigError:
    """The first few findings of pydantic, each with the key's full path."""
    findings: dict[tuple[str, str], list[str]] = {}  # by key and value: one that may be of several types has one each
    for finding in error.errors()[:5]:
        where = _key_path(place, finding["loc"])
        found = finding.get("input")
        told = finding["type"] in ("missing", "extra_forbidden") or (
            isinstance(found, dict) and found
        )  # a section is no value
        shown = "" if told else f" (found {str(found)[:80]!r})"
        text = _IN_OUR_WORDS.get(finding["type"], in_plain_words(finding["msg"]))
        findings.setdefault((where, shown), []).append(text)
    lines = [f"{where} {_one_sentence(texts)}{shown}" for (where, shown), texts in findings.items()]
    fix = "correct the key in params.yaml; docs/params.md describes each"
    if any("2e-" in line or "number" in line for line in lines):
        fix += " (a number stands without quotes: 2e-5)"
    return params_error("; ".join(lines), fix)


def check_options(
    kind: str, name: str, section: Mapping[str, Any], place: str, key: str, section_place: str | None = None
) -> Any:
    """Check a section (at `place`, or where `section_place` says) against its file's `Options`; return that module."""
    known = plugins.names(kind)
    if name not in known:
        raise params_error(
            f"{place}.{key} is {name!r}, which is not one of {', '.join(known)}",
            f"choose one of these, or add src/temper/{plugins.file_of(kind, name)} (CONTRIBUTING.md)",
        )
    module = plugins.load(kind, name)
    try:
        strictly(module.Options, section)
    except ValidationError as error:
        raise explain(error, section_place or place) from None
    return module


def need(row: str, rows: Iterable[str], place: str, what: str) -> None:
    """Raise ConfigError where `place` names a row that `what` does not have."""
    rows = sorted(rows)
    if row not in rows:
        raise params_error(
            f"{place} names {row!r}, but there is no such row in {what} (there are: {', '.join(rows) or 'none'})",
            f"add the row to {what}, or name one that is there",
        )


def chosen(section: Mapping[str, Any], key: str, place: str) -> str:
    """The name under a key; ConfigError where there is none."""
    value = section.get(key)
    if not isinstance(value, str):
        raise params_error(
            f"{place}.{key} is missing" if value is None else f"{place}.{key} is {value!r}, not a name",
            f"set {place}.{key} in params.yaml (docs/params.md)",
        )
    return value
