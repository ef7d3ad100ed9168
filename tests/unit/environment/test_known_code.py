from pathlib import Path

import pytest

from temper.environment import known_code
from temper.environment import source_digest as reader
from temper.environment.known_code import FILE, KnownCode
from temper.environment.source_digest import source_digest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    return tmp_path


@pytest.fixture
def new_process(monkeypatch):
    """Forgets what this process has read, and gives the names of what it parses from then on."""
    parsed = []
    monkeypatch.setattr(
        reader, "_parse", lambda content, name, own=reader._parse: (parsed.append(name), own(content, name))[1]
    )

    def forget():
        parsed.clear()
        reader._read.cache_clear()
        known_code._of_folder.cache_clear()
        return parsed

    yield forget
    forget()


def test_what_was_read_once_is_parsed_by_no_process_again(new_process):
    parsed = new_process()
    first = source_digest("temper.lengths.buckets.limits")
    assert parsed
    new_process()
    assert source_digest("temper.lengths.buckets.limits") == first
    assert parsed == []


def test_an_edited_file_is_parsed_and_its_digest_is_another(new_process, folder, monkeypatch):
    script = folder / "script.py"
    script.write_text("A = 1\n")
    new_process()
    before = source_digest(script)
    script.write_text("A = 2\n")  # size as before; the time, where the clock is slow
    parsed = new_process()
    assert source_digest(script) != before
    assert parsed == [str(script)]


def test_another_reader_begins_anew(folder):
    first, second = folder / "first.py", folder / "second.py"
    first.write_text("reads")
    second.write_text("reads otherwise")
    known = KnownCode(first)
    known.add("of a text", ["found"])
    known.save()
    assert KnownCode(first).get("of a text") == ["found"]
    assert KnownCode(second).get("of a text") is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"reader": 1}', '{"reader": null, "texts": 3}'])
def test_a_spoiled_file_is_as_none(folder, content):
    Path(FILE).parent.mkdir()
    Path(FILE).write_text(content)
    assert KnownCode(Path(__file__)).get("of a text") is None


def test_what_edits_leave_behind_is_dropped(folder, monkeypatch):
    monkeypatch.setattr(known_code, "MOST", 2)
    known = KnownCode(Path(__file__))
    for digest in "abc":
        known.add(digest, [])
    known.save()
    again = KnownCode(Path(__file__))
    assert [again.get(digest) for digest in "abc"] == [None, [], []]


def test_nothing_is_written_where_snakemake_does_not_work_or_may_not_write(folder):
    known = KnownCode(Path(__file__))
    known.add("a", [])
    (folder / ".snakemake").rmdir()
    known.save()
    assert list(folder.iterdir()) == []
    (folder / ".snakemake").mkdir()
    (folder / ".snakemake/temper").write_text("in the way")
    known.add("b", [])
    known.save()
