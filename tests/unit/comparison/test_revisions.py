"""Which state of a study a name means, in a real git checkout; tests/workflow/test_experiments.py has DVC's own."""

import hashlib
import subprocess

import pytest

from temper.comparison.revisions import (
    Revision,
    Store,
    experiments,
    experiments_of_this_commit,
    of_earlier_commits,
    revisions,
)
from temper.errors import ExperimentError


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def commit(message):
    git("add", "-A")
    git("commit", "--quiet", "--allow-empty", "--message", message)
    return git("rev-parse", "HEAD")


def experiment(name, parent):
    """What DVC does: a commit on the one it started from, under a reference with its name."""
    made = git("commit-tree", f"{parent}^{{tree}}", "-p", parent, "-m", f"dvc: {name}")
    git("update-ref", f"refs/exps/{parent[:2]}/{parent[2:]}/{name}", made)
    return made


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Two commits: 'earlier' has the experiments samples128 and minmax, this one minmax."""
    (tmp_path / "study").mkdir()
    monkeypatch.chdir(tmp_path / "study")
    for key in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(key, raising=False)
    git("init", "--quiet", "--initial-branch", "main", "..")
    git("config", "user.email", "someone@example.org")
    git("config", "user.name", "Someone")
    (tmp_path / "study/params.yaml").write_text("study: one\n")
    (tmp_path / "study/dvc.lock").write_text("stages: {a: {outs: [{path: artifacts/a.json, md5: abcd}]}}\n")
    earlier = commit("earlier")
    found = {"earlier": earlier, "samples128": experiment("samples128", earlier), "old": experiment("minmax", earlier)}
    (tmp_path / "study/params.yaml").write_text("study: two\n")
    found["head"] = commit("now")
    found["minmax"] = experiment("minmax", found["head"])
    return found


def test_without_names_it_is_the_workspace_this_commit_and_its_experiments(checkout):
    assert revisions([]) == [
        Revision("workspace", None),
        Revision("main", checkout["head"]),
        Revision("minmax", checkout["minmax"], checkout["head"]),
    ]
    assert experiments_of_this_commit() == ["minmax"]


def test_an_experiment_of_an_earlier_commit_can_be_named(checkout):
    assert revisions(["samples128"]) == [Revision("samples128", checkout["samples128"], checkout["earlier"])]
    assert of_earlier_commits() == f"minmax (of {checkout['earlier'][:7]}), samples128 (of {checkout['earlier'][:7]})"


def test_a_name_of_this_commit_comes_before_the_same_of_an_earlier_one(checkout):
    assert revisions(["minmax", "minmax"]) == [Revision("minmax", checkout["minmax"], checkout["head"])]


def test_a_commit_a_branch_and_the_workspace_can_be_named(checkout):
    found = revisions(["HEAD~1", "main", "workspace"])
    assert [each.commit for each in found] == [checkout["earlier"], checkout["head"], None]


def test_a_name_that_several_earlier_commits_have_is_refused_and_each_of_the_named_commits_is_taken(checkout):
    commit("later")
    with pytest.raises(ExperimentError) as caught:
        revisions(["minmax"])
    assert caught.value.happened == "2 commits have an experiment called minmax"
    offered = caught.value.fix.partition(": ")[2].split(", ")
    named = [revisions([each.split()[0]])[0].commit for each in offered]  # as the message says
    assert sorted(named) == sorted([checkout["old"], checkout["minmax"]])


def test_an_unknown_name_is_refused_with_those_there_are(checkout):
    with pytest.raises(ExperimentError) as caught:
        revisions(["nothing", "minmax"])
    assert caught.value.asked == "compare nothing, minmax"
    assert "called nothing" in caught.value.happened
    assert caught.value.fix.startswith("name some of: workspace, main, minmax; or of earlier commits: minmax (of ")
    with pytest.raises(ExperimentError, match="called --all"):
        revisions(["--all"])


def test_without_a_checkout_there_is_the_workspace_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revisions([]) == [Revision("workspace", None)]
    assert experiments() == []
    assert of_earlier_commits() == ""


def test_settings_and_outputs_are_those_of_the_state_that_was_named(checkout):
    store, earlier = Store(), Revision("earlier", checkout["earlier"])
    assert store.params(earlier)["study"] == "one"
    assert store.params(Revision("workspace", None))["study"] == "two"
    assert store.outputs(earlier) == {"artifacts/a.json": "abcd"}
    assert store.outputs(Revision("workspace", None)) == {}


def test_a_file_is_taken_from_dvcs_cache_by_its_digest(checkout, tmp_path, monkeypatch):
    content, store = b"{}", Store()
    digest = hashlib.md5(content).hexdigest()
    held = tmp_path / "cache/files/md5" / digest[:2] / digest[2:]
    held.parent.mkdir(parents=True)
    held.write_bytes(content)
    monkeypatch.setattr(store, "_cache", tmp_path / "cache")
    earlier = Revision("earlier", checkout["earlier"])
    assert store.file(earlier, "artifacts/a.json", digest) == content
    assert store.file(earlier, "artifacts/a.json", None) is None
    assert store.file(earlier, "artifacts/a.json", "0" * 32) is None  # nowhere: this checkout has no DVC
    assert store.file(Revision("workspace", None), "params.yaml", None) == b"study: two\n"
    assert store.file(Revision("workspace", None), "nothing", None) is None
