"""Kinds of command in which DVC has a part: a study through it, handed to it, pushed, pulled, an experiment."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from temper.orchestration.stored import md5
from tests.workflow.conftest import StudyFolder
from tests.workflow.disturbed import Kind
from tests.workflow.repository import Repository, copy_repository
from tests.workflow.test_remotes import add_remote, clone

Judged = Callable[[StudyFolder], Mapping[str, str]]
JUDGED_ANEW = "analysis__accuracy_budget_points"  # a report and the stages before it
OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")
NAMES = ("dvc repro", "dvc exp run", "temper commit", "temper push", "temper pull")


def stored_in(folder: Path) -> dict[str, str]:
    """The objects below a cache or a remote: 'whole' where one's bytes are those that its name promises.

    A file of another name, that DVC had begun to write, is no object for anybody.
    """
    found = {}
    for path in sorted((folder / "files/md5").glob("??/*")):
        name = path.parent.name + path.name
        if OBJECT.fullmatch(name) is None:
            continue
        found[f"object {name}"] = "whole" if md5(path) == name.removesuffix(".dir") else "half"
    return found


def half(made: StudyFolder) -> list[str]:
    """Objects of the cache and of the remote beside the study that are not what their names promise."""
    places = (made / ".dvc/cache", made.folder.with_name("remote"))
    return [f"{place.name}: {name}" for place in places for name, how in stored_in(place).items() if how != "whole"]


def _git(made: StudyFolder) -> dict[str, str]:
    """What git has to see after it: the same files as changed (DVC stages its lock last of all), and no lock of its own."""
    assert isinstance(made, Repository)
    changed = sorted(line[3:] for line in made.run("git", "status", "--porcelain").splitlines())
    return {"git": str(changed), "lock": str((made / ".git/index.lock").exists())}


def dvc_kind(name: str, repository: Repository, folder: Path, digests: Judged) -> Kind:
    """One of NAMES.

    Args:
        name: the command.
        repository: a finished study, handed to DVC.
        folder: for the copy from which the cases start.
        digests: what has to be as in the undisturbed run, of any study.
    """
    base, command, remote = copy_repository(repository, folder / "base"), name.split(), folder / "remote"

    def as_it_is(made: StudyFolder) -> None:
        pass

    if name == "dvc repro":

        def stale(made: StudyFolder) -> None:
            made.set(**{JUDGED_ANEW: 0.9})

        return Kind(name, base, command, stale, lambda made: {**digests(made), **_git(made)}, half)
    if name == "dvc exp run":
        command = [*command, f"-S{JUDGED_ANEW.replace('__', '.')}=0.9"]
        return Kind(name, base, command, as_it_is, lambda made: {**digests(made), **_git(made)}, half)
    if name == "temper commit":
        base.set(**{JUDGED_ANEW: 0.9})
        base.snakemake()

        def committed(made: StudyFolder) -> dict[str, str]:
            stored = stored_in(made / ".dvc/cache")
            return {**digests(made), **stored, "dvc.lock": (made / "dvc.lock").read_text()}

        return Kind(name, base, command, as_it_is, committed, half)
    if name == "temper push":
        add_remote(base, "../remote")
        return Kind(name, base, command, as_it_is, lambda made: stored_in(made.folder.with_name("remote")), half)
    assert name == "temper pull"
    add_remote(base, str(remote))
    base.run("temper", "push")
    cloned = clone(base, folder / "cloned")
    shutil.rmtree(base.folder)

    def pulled(made: StudyFolder) -> dict[str, str]:
        left = [path.name for path in (made / ".snakemake/temper").glob(".pull*")]
        left += [path.name for path in (made / ".dvc/tmp").glob("temper-*")]
        return {**digests(made), **stored_in(made / ".dvc/cache"), "left": str(left)}

    return Kind(name, cloned, command, as_it_is, pulled, half)
