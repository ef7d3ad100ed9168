"""What `temper experiment -S` makes of params.yaml: found out, and checked, before DVC is asked for anything."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from temper.artifacts.manifest import write_text
from temper.errors import ConfigError
from temper.orchestration.pipeline import PARAMS, PIPELINE
from temper.study.params_file import edited, parse_params, with_value
from temper.study.refusal import params_error
from temper.study.resolve import spelt_out
from temper.study.study import read_study

_DVCS_OWN = ("+", "~")  # how a change begins that adds or removes a key, in DVC's words
_OF_THIS_FILE = f"{PARAMS}:"
_ASKED = "run an experiment here"
_NOTHING = "nothing: DVC was not asked, and params.yaml is as it was"


@dataclass(frozen=True)
class Changed:
    """params.yaml with the values of an experiment."""

    text: str  # with the values that are put in their places
    left: list[str]  # changes that only DVC can make
    ending: str  # the text after DVC has made those


def changed_params(text: str, changes: Sequence[str]) -> Changed:
    """The text of params.yaml after the changes. Its lines stay as they were, but for what only DVC can change.

    A value that only defaults.yaml gives is put beside what the study says.

    Args:
        text: of params.yaml.
        changes: as `calibrations.main.method=minmax`; also what DVC takes: `+key=value`, `++key=value`, `~key`.

    Raises:
        ConfigError: a change is none, names a key that the study has not, or what comes out is no study.
    """
    before, left = text, []
    for change in changes:
        key, equals, value = change.removeprefix(_OF_THIS_FILE).partition("=")
        if key.startswith(_DVCS_OWN):
            left.append(change)
            continue
        if not equals or not key.strip():
            raise _refused(
                change, "it is not KEY=VALUE", "name the key and its value: -S calibrations.main.method=minmax"
            )
        changed = with_value(text, key, value) or _with_more(text, key, value)
        if changed is not None:
            text = changed
        elif ":" in key or _is_there(parse_params(text), key):  # of another file, or no single value: left to DVC
            left.append(change)
        else:
            raise _unknown(change, key, text)
    ending = _after_dvc(text, [change for change in left if not _is_of_another_file(change)])
    if ending != before:
        _check(ending, changes)
    return Changed(text, left, ending)


def _is_of_another_file(change: str) -> bool:
    return ":" in change.removeprefix(_OF_THIS_FILE).partition("=")[0]


def _refused(change: str, happened: str, fix: str) -> ConfigError:
    return ConfigError(asked=f"{_ASKED}, with {change}", happened=happened, affected=_NOTHING, fix=fix)


def _check(text: str, changes: Sequence[str]) -> None:
    """Refuse what `temper check` would refuse, in its words, once."""
    try:
        content = parse_params(text)
        if not isinstance(content, Mapping):
            raise params_error("params.yaml would hold no keys", "change less")
        read_study(content)
    except ConfigError as error:
        raise _refused(", ".join(changes), error.happened, error.fix) from None


def _after_dvc(text: str, left: Sequence[str]) -> str:
    """The text of params.yaml after DVC's own change of it, which is made to a copy."""
    if not left:
        return text
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    with TemporaryDirectory() as folder:
        copy = Path(folder, PARAMS)
        copy.write_bytes(text.encode())
        try:
            apply_overrides(str(copy), [change.removeprefix(_OF_THIS_FILE) for change in left])
        except DvcException as error:
            said = " ".join(str(error.__cause__ or error).split())
            fix = "write it as DVC has it: key=value, +key=value for one that params.yaml has not, ~key to remove one"
            raise _refused(", ".join(left), f"DVC cannot make that change: {said}", fix) from None
        return copy.read_bytes().decode()


def _is_there(given: Any, key: str) -> bool:
    for name in key.split("."):
        if not isinstance(given, Mapping) or name not in given:
            return False
        given = given[name]
    return True


def _keys(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"{prefix}{name}"
            yield from _keys(inner, f"{prefix}{name}.")


def _unknown(change: str, key: str, text: str) -> ConfigError:
    given = parse_params(text)
    known = list(dict.fromkeys([*_keys(given), *_keys(spelt_out(given))]))
    near = get_close_matches(key, known, n=1)
    meant = f"-S {near[0]}={change.partition('=')[2]}, the nearest of its keys; " if near else ""
    return _refused(
        change,
        f"this study has no key {key}",
        f"{meant}temper check --resolved prints all; one that neither has yet is added by -S +{change}",
    )


def _with_more(text: str, key: str, value: str) -> str | None:
    """The text of params.yaml with one more value; None where a study has no such key, or gives it already."""
    given = parse_params(text)
    *parents, last = key.split(".")
    there, whole = given, spelt_out(given)
    for name in parents:
        there, whole = (each.get(name, {}) if isinstance(each, Mapping) else {} for each in (there, whole))
    if not isinstance(whole, Mapping) or last not in whole or not isinstance(there, Mapping) or last in there:
        return None

    def put(study: Any) -> None:
        for name in parents:
            study = study.setdefault(name, {})
        study[last] = parse_params(value)

    return edited(text, put)


@contextmanager
def kept_unless_it_ends_well(changed: Changed) -> Iterator[list[int]]:
    """params.yaml with the changes inside the block; afterwards, byte for byte, as it was, unless the block notes exit code 0.

    dvc.yaml, which may be written anew for the changes, is put back with it. A file that was edited meanwhile keeps the edit.
    """
    before, codes = Path(PARAMS).read_bytes(), list[int]()
    pipeline = Path(PIPELINE).read_bytes() if Path(PIPELINE).is_file() else None
    ours = {changed.text.encode(), changed.ending.encode()}
    try:
        if changed.text.encode() != before:
            write_text(PARAMS, changed.text)
        yield codes
    finally:
        now = Path(PARAMS).read_bytes()
        if codes != [0] and now != before:
            if now in ours:
                write_text(PARAMS, before.decode())
                if pipeline is not None and Path(PIPELINE).read_bytes() != pipeline:
                    write_text(PIPELINE, pipeline.decode())
                print("the experiment failed: params.yaml is as it was before it", flush=True)
            else:
                print("the experiment failed; params.yaml was edited in the meantime and stays as it is", flush=True)
