"""Objects from a folder as remote; tests/workflow/test_remotes.py has a real S3 server."""

import os
import re
import shutil
import time

import pytest

from temper.errors import ExperimentError
from temper.orchestration import fetch as module
from temper.orchestration.fetch import fetch, open_remote
from temper.orchestration.stored import cached, md5, repository

pytestmark = pytest.mark.usefixtures("warm")

NO_GIT = "[core]\n    no_scm = True\n"


@pytest.fixture
def remote(dvc_study):
    """A folder that holds what the study's cache held; the cache is empty."""
    (dvc_study / ".dvc/config").write_text(
        f"{NO_GIT}    remote = shared\n['remote \"shared\"']\n    url = {dvc_study / 'remote'}\n"
    )
    shutil.move(dvc_study / ".dvc/cache", dvc_study / "remote")
    return dvc_study / "remote/files/md5"


def place(remote, digest):
    return remote / digest[:2] / digest[2:]


def test_what_is_fetched_is_in_the_cache_and_read_only(remote):
    digests = [md5("data/raw/one.tsv"), md5("data/raw/two.tsv")]
    with repository("pull") as repo:
        opened = open_remote(repo, None, "pull")
        assert fetch(repo, opened, [], "pull") == (0, 0)
        assert fetch(repo, opened, digests, "pull") == (2, 6)
        paths = [cached(repo, digest) for digest in digests]
    assert [path.read_text() for path in paths] == ["one", "two"]
    assert all(path.stat().st_mode & 0o777 == 0o444 for path in paths)
    assert list((remote.parents[2] / ".dvc/tmp").glob("temper-*")) == []


def test_what_a_killed_command_left_is_removed_and_what_another_fetches_now_is_not(remote):
    folder = remote.parents[2] / ".dvc/tmp"
    folder.mkdir(exist_ok=True)
    for name in ("left", "at-work"):
        (folder / f"temper-fetch.{name}").mkdir()
        (folder / f"temper-fetch.{name}/object").write_text("half")
    held = module._lock(folder / "temper-fetch.at-work")
    with repository("pull") as repo:
        fetch(repo, open_remote(repo, None, "pull"), [md5("data/raw/one.tsv")], "pull")
    assert [path.name for path in folder.glob("temper-*")] == ["temper-fetch.at-work"]
    assert (folder / "temper-fetch.at-work/object").is_file()
    os.close(held)


def test_how_much_has_arrived_is_said(remote, monkeypatch, capsys):
    monkeypatch.setattr(module, "SAY_EVERY_S", -1.0)
    with repository("pull") as repo:
        fetch(repo, open_remote(repo, None, "pull"), [md5("data/raw/one.tsv"), md5("data/raw/two.tsv")], "pull")
    said = capsys.readouterr().err
    assert "fetched 1 of 2 objects" in said
    assert "fetched 2 of 2 objects" in said


def test_a_damaged_object_of_the_cache_is_replaced(remote):
    digest = md5("data/raw/one.tsv")
    with repository("pull") as repo:
        opened = open_remote(repo, None, "pull")
        fetch(repo, opened, [digest], "pull")
        path = cached(repo, digest)
        path.chmod(0o644)
        path.write_text("")
        path.chmod(0o444)
        assert fetch(repo, opened, [digest], "pull") == (1, 3)
        assert cached(repo, digest).read_text() == "one"


@pytest.mark.parametrize(("content", "said"), [(None, "1 objects are missing"), (b"", "damaged"), (b"oNe", "damaged")])
def test_what_is_missing_or_damaged_is_named_and_the_remote_is_left_as_it_is(remote, content, said):
    digest = md5("data/raw/one.tsv")
    path = place(remote, digest)
    path.chmod(0o644)  # DVC itself would remove a damaged one from a folder
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with repository("pull") as repo, pytest.raises(ExperimentError, match=said) as caught:
        fetch(repo, open_remote(repo, None, "pull"), [digest, md5("data/raw/two.tsv")], "pull")
    assert digest in caught.value.happened
    assert "temper verify-remote" in caught.value.fix
    assert path.exists() is (content is not None)


def test_a_remote_that_is_no_folder_or_has_no_name_is_an_error(remote, dvc_study):
    with repository("pull") as repo, pytest.raises(ExperimentError, match="there is no remote other") as caught:
        open_remote(repo, "other", "pull")
    assert "--remote: shared" in caught.value.fix
    shutil.rmtree(dvc_study / "remote")
    with repository("pull") as repo, pytest.raises(ExperimentError, match=re.escape("there is no folder")):
        fetch(repo, open_remote(repo, None, "pull"), ["0" * 32], "pull")
    (dvc_study / ".dvc/config").write_text(NO_GIT + "['remote \"shared\"']\n    url = /srv\n")
    with repository("pull") as repo, pytest.raises(ExperimentError, match="no remote is the default one"):
        open_remote(repo, None, "pull")
    (dvc_study / ".dvc/config").write_text(NO_GIT)
    with repository("pull") as repo, pytest.raises(ExperimentError, match="no remote is set"):
        open_remote(repo, None, "pull")


def test_a_remote_that_never_answers_is_given_up():
    assert module._within(60, lambda: ["a"]) == ["a"]
    with pytest.raises(TimeoutError, match="no answer within"):
        module._within(0.05, lambda: time.sleep(60) or [])
    with pytest.raises(ValueError, match="as it says"):
        module._within(60, lambda: (_ for _ in ()).throw(ValueError("as it says")))
