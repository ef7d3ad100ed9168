"""An experiment of DVC in the study's own folder, where nothing is there that only this folder has.

`dvc exp run` begins by putting every file that DVC tracks back as it was recorded, and asks nobody: edits, notes beside artifacts
and changed data are gone before the first stage runs, of every study of the checkout where it is given no target.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import write_text
from temper.errors import ExperimentError
from temper.orchestration.dvc import dvc
from temper.orchestration.links import check_no_links
from temper.orchestration.pipeline import PIPELINE, is_current
from temper.orchestration.pull import in_the_way, is_in_place
from temper.orchestration.run_lock import check_free
from temper.orchestration.set_aside import listed, nowhere_else
from temper.orchestration.stored import cached, files_of, outputs, repository
from temper.orchestration.study_repository import make_ready
from temper.study.params_file import edited, parse_params, with_value
from temper.study.resolve import spelt_out


def unsaved() -> list[str]:
    """Files of the study in the working directory that DVC would replace or remove and that its cache does not hold.

    Raises:
        ExperimentError: DVC cannot say what it stores of the study.
    """
    asked = "run an experiment here"
    with repository(asked) as repo:
        stored = outputs(repo, asked)
        listings = [(output, cached(repo, output.digest)) for output in stored]
        files = [file for output, listing in listings if listing is not None for file in files_of(output, listing)]
        files += [output for output, listing in listings if listing is None and not output.is_folder]
        wanted = {file.path: file for file in files}
        other = [path for path, file in wanted.items() if os.path.lexists(path) and not is_in_place(file)]
        return nowhere_else(in_the_way(stored, wanted, other), repo)


def run_experiment(name: str | None, changes: Sequence[str]) -> int:
    """Run `dvc exp run` for the study in the working directory alone; return its exit code.

    Values that params.yaml has are put in their places there: DVC would write the whole file anew, in lines of its own.

    Args:
        name: of the experiment; DVC finds one when None.
        changes: of params.yaml, as `calibrations.main.method=minmax`.

    Raises:
        BusyError: a run works here.
        ExperimentError: DVC would remove what is nowhere else.
    """
    asked = "run an experiment here"
    check_free(asked)
    check_no_links(asked)
    found = unsaved()
    if found:
        raise ExperimentError(
            asked=asked,
            happened=f"DVC would put its own files in the place of what only this folder has: {listed(found)}",
            affected="nothing: no file was touched",
            fix="temper commit (of data: dvc add data/raw) hands them to DVC; or move them; or dvc exp run --temp, which leaves "
            "this folder alone",
        )
    named = ["--name", name] if name is not None else []
    left = _set_values(changes)
    if Path(PIPELINE).is_file() and not is_current():
        make_ready()
    return dvc(
        "exp", "run", *named, *(word for change in left for word in ("--set-param", change)), "dvc.yaml"
    ).returncode


def _set_values(changes: Sequence[str]) -> list[str]:
    """Put new values into params.yaml, whose lines stay as they were; return the changes that only DVC can make.

    A value that only defaults.yaml gives is put beside what the study says.
    """
    if not changes:
        return []
    params = Path("params.yaml")
    before = text = params.read_text(encoding="utf-8")
    left = []
    for change in changes:
        key, _, value = change.partition("=")
        changed = with_value(text, key, value) or _with_more(text, key, value)
        if changed is None:
            left.append(change)
        else:
            text = changed
    if text != before:
        write_text(params, text)
    return left


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
