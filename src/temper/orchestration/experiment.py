"""An experiment of DVC in the study's own folder, where nothing is there that only this folder has.

`dvc exp run` begins by putting every file that DVC tracks back as it was recorded, and asks nobody: edits, notes beside artifacts
and changed data are gone before the first stage runs, of every study of the checkout where it is given no target.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from temper.errors import ExperimentError
from temper.orchestration.dvc import dvc
from temper.orchestration.experiment_params import changed_params, kept_unless_it_ends_well
from temper.orchestration.handed_over import check_committed, check_recorded
from temper.orchestration.links import check_no_links
from temper.orchestration.pipeline import PARAMS, PIPELINE, is_current
from temper.orchestration.pull import in_the_way, is_in_place
from temper.orchestration.run_lock import check_free
from temper.orchestration.set_aside import listed, nowhere_else
from temper.orchestration.stored import cached, files_of, outputs, repository
from temper.orchestration.study_repository import make_ready


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

    Values that params.yaml has are put in their places there: DVC would write the whole file anew, in lines of its own. Where
    the experiment fails, params.yaml is put back as it was.

    Args:
        name: of the experiment; DVC finds one when None.
        changes: of params.yaml, as `calibrations.main.method=minmax`.

    Raises:
        BusyError: a run works here.
        ConfigError: the changed params.yaml is no study, or a change names a key that it has not.
        ExperimentError: DVC would remove what is nowhere else, or the study is not committed.
    """
    asked = "run an experiment here"
    check_free(asked)
    check_no_links(asked)
    changed = changed_params(Path(PARAMS).read_bytes().decode(), changes)
    check_recorded(asked)
    check_committed(asked)
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
    with kept_unless_it_ends_well(changed) as codes:
        if Path(PIPELINE).is_file() and not is_current():
            make_ready()
        words = [word for change in changed.left for word in ("--set-param", change)]
        codes.append(dvc("exp", "run", *named, *words, "dvc.yaml").returncode)
    return codes[0]
