import os
import time

import pytest

from temper.artifacts.manifest import sha256
from temper.orchestration import seen


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    time.sleep(2 * seen._TICK_NS / 1e9)
    return tmp_path


@pytest.fixture
def read(monkeypatch):
    """Files that were really read."""
    found = []
    monkeypatch.setattr(seen, "sha256", lambda path: (found.append(str(path)), sha256(path))[1])
    return found


def test_a_file_of_which_the_disk_says_the_same_is_read_once(folder, read):
    first = seen.digests("rule", "row", ["a", "b"])
    assert first == {"a": sha256("a"), "b": sha256("b")}
    assert seen.digests("rule", "row", ["a", "b"]) == first
    assert read == ["a", "b"]


@pytest.mark.parametrize("how", ["written under the old time", "exchanged", "copied over", "touched"])
def test_whatever_happens_to_a_file_it_is_read_again(folder, read, how):
    seen.digests("rule", "row", ["a", "b"])
    before = os.stat("a")
    if how == "written under the old time":  # size and time of the bytes as they were
        (folder / "a").write_text("x")
        os.utime("a", ns=(before.st_atime_ns, before.st_mtime_ns))
    elif how == "exchanged":
        os.rename("a", "c")
        os.rename("b", "a")
        os.rename("c", "b")
    elif how == "copied over":
        (folder / "new").write_text("x")
        os.replace("new", "a")
    else:
        os.utime("a")
    assert seen.digests("rule", "row", ["a"]) == {"a": sha256("a")}
    assert read[2:] == ["a"]


def test_what_a_job_noted_is_not_read(folder, read):
    seen.note("rule", "", {"a": "its digest"})
    assert seen.digests("rule", "", ["a"]) == {"a": "its digest"}
    assert read == []


def test_a_file_of_this_very_moment_is_not_believed(folder, read):
    (folder / "a").write_text("new")
    seen.note("rule", "", {"a": "its digest"})
    assert seen.digests("rule", "", ["a"]) == {"a": sha256("a")}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": []}', '{"a": ["wrong"]}'])
def test_a_torn_memory_is_none(folder, text):
    (folder / seen.FOLDER / "rule").mkdir(parents=True)
    (folder / seen.FOLDER / "rule/row.json").write_text(text)
    assert seen.digests("rule", "row", ["a"]) == {"a": sha256("a")}


def test_where_snakemake_never_was_nothing_is_kept(folder):
    (folder / ".snakemake").rmdir()
    assert seen.digests("rule", "row", ["a"]) == {"a": sha256("a")}
    assert not (folder / ".snakemake").exists()
