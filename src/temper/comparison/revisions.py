"""States of a study that can be compared: the workspace, commits, experiments of this commit and of earlier ones.

Git holds params.yaml and dvc.lock of each, DVC's cache what dvc.lock names. Asking git costs milliseconds, whatever else
the checkout holds; `dvc exp show` would read every study of it.
"""

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from temper.errors import ExperimentError, PipelineError
from temper.orchestration.dvc import dvc
from temper.study.params_file import parse_params
from temper.study.resolve import spelt_out

PARAMS, LOCK = "params.yaml", "dvc.lock"
WORKSPACE = "workspace"
# where DVC keeps an experiment: under the commit that it started from, cut in two
_EXPERIMENT = re.compile(
    r"^(?P<commit>[0-9a-f]{40,64}) refs/exps/(?P<head>[0-9a-f]{2})/(?P<rest>[0-9a-f]{38,62})/(?P<name>.+)$"
)
_SHOWN = 8  # names in an error


@dataclass(frozen=True)
class Revision:
    """A state of the study by its name. `commit` is None for the workspace, `parent` the commit an experiment started from."""

    name: str
    commit: str | None
    parent: str | None = None


def git(*arguments: str) -> str | None:
    """What git printed; None where it could not (no checkout, no such object)."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def experiments() -> list[Revision]:
    """Every experiment of the checkout, of whichever commit, by name."""
    lines = (git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps") or "").splitlines()
    found = [match for match in map(_EXPERIMENT.match, lines) if match]
    return sorted(
        (Revision(match["name"], match["commit"], match["head"] + match["rest"]) for match in found),
        key=lambda each: each.name,
    )


def _of_this_commit(head: str, every: Sequence[Revision]) -> list[Revision]:
    branch = (git("rev-parse", "--abbrev-ref", "HEAD") or "HEAD").strip()
    here = [] if git("cat-file", "-e", f"{head}:./{LOCK}") is None else [Revision(_named(branch, head), head)]
    return [*here, *(each for each in every if each.parent == head)]


def _named(branch: str, head: str) -> str:
    return head[:7] if branch == "HEAD" else branch


def _listed(revisions: Sequence[Revision]) -> str:
    names = [f"{each.name} (of {str(each.parent)[:7]})" for each in revisions]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _resolved(name: str, head: str, every: Sequence[Revision], asked: str) -> Revision:
    """The state that a name means: an experiment, of this commit before earlier ones, else whatever git knows by it."""
    if name == WORKSPACE:
        return Revision(name, None)
    found = [each for each in every if each.name == name]
    own = [each for each in found if each.parent == head] or found
    if len(own) == 1:
        return own[0]
    if own:
        raise ExperimentError(
            asked=asked,
            happened=f"{len(own)} commits have an experiment called {name}",
            affected="nothing",
            fix="name one by its own commit: "
            + ", ".join(f"{str(each.commit)[:10]} (of {str(each.parent)[:7]})" for each in own),
        )
    commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if commit is not None:
        return Revision(name, commit.strip())
    here = [WORKSPACE, *(each.name for each in _of_this_commit(head, every))] if head else [WORKSPACE]
    earlier = [each for each in every if each.parent != head]
    raise ExperimentError(
        asked=asked,
        happened=f"no experiment and no commit of this checkout is called {name}",
        affected="nothing",
        fix=f"name some of: {', '.join(here)}"
        + (f"; or of earlier commits: {_listed(earlier)}" if earlier else "")
        + " (dvc queue status: whether it is queued or failed)",
    )


def revisions(names: Sequence[str]) -> list[Revision]:
    """The named states, each once; where none is named the workspace, this commit and the experiments that start from it.

    Raises:
        ExperimentError: a name is unknown, or means several experiments.
    """
    head = (git("rev-parse", "HEAD") or "").strip()
    every = experiments()
    if names:
        return [_resolved(name, head, every, f"compare {', '.join(names)}") for name in dict.fromkeys(names)]
    return [Revision(WORKSPACE, None), *(_of_this_commit(head, every) if head else [])]


def experiments_of_this_commit() -> list[str]:
    """Names of the experiments that start from this commit."""
    head = (git("rev-parse", "HEAD") or "").strip()
    return [each.name for each in experiments() if each.parent == head]


def of_earlier_commits() -> str:
    """The experiments that start from another commit than this one, as a list in words; '' where there are none."""
    head = (git("rev-parse", "HEAD") or "").strip()
    return _listed([each for each in experiments() if each.parent != head])


def _mapping(text: str | None) -> dict[str, Any]:
    """A YAML file that holds keys; {} for any other."""
    # libyaml's reader where it is there: dvc.lock of a large study has thousands of lines, and there is one for each experiment
    content = yaml.load(text or "", Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return content if isinstance(content, dict) else {}


class Store:
    """Files of any state of the study in the working directory. What was read once is not asked for again."""

    def __init__(self) -> None:
        self._cache: Path | None = None

    def _text(self, revision: Revision, name: str) -> str | None:
        """A file that git holds, or the workspace's own; None where there is none."""
        if revision.commit is not None:
            return git("show", f"{revision.commit}:./{name}")
        return Path(name).read_text(encoding="utf-8") if Path(name).is_file() else None

    def params(self, revision: Revision) -> dict[str, Any]:
        """params.yaml of a state with every value, in the words of studies; {} where it has none.

        As it stands where it cannot be resolved: it was written for other code.
        """
        content = parse_params(self._text(revision, PARAMS) or "")
        if not isinstance(content, dict):
            return {}
        try:
            return spelt_out(content)
        except PipelineError:
            return content

    def outputs(self, revision: Revision) -> Mapping[str, str | None]:
        """MD5 of each file that dvc.lock of a commit names, by path; {} for the workspace, whose files lie on the disk."""
        if revision.commit is None:
            return {}
        stages = _mapping(self._text(revision, LOCK)).get("stages", {})
        return {out["path"]: out.get("md5") for stage in stages.values() for out in stage.get("outs", [])}

    def file(self, revision: Revision, name: str, md5: str | None) -> bytes | None:
        """Content of an artifact; None where it is nowhere: not here, not in DVC's cache, not in its remote."""
        if revision.commit is None:
            return Path(name).read_bytes() if Path(name).is_file() else None
        if md5 is None:
            return None
        if self._cache is None:
            self._cache = Path(dvc("cache", "dir", capture_output=True).stdout.strip())
        held = self._cache / "files/md5" / md5[:2] / md5[2:]
        return held.read_bytes() if held.is_file() else _fetched(revision, name)


def _fetched(revision: Revision, name: str) -> bytes | None:
    """The same from the remote: an experiment that somebody else pushed."""
    root, prefix = (
        (git("rev-parse", "--show-toplevel") or ".").strip(),
        (git("rev-parse", "--show-prefix") or "").strip(),
    )
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "file"
        arguments = ("get", root, prefix + name, "--rev", str(revision.commit), "--out", str(target), "--quiet")
        dvc(*arguments, capture_output=True)
        return target.read_bytes() if target.is_file() else None
