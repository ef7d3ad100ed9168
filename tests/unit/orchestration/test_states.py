"""What a job's outputs are, held against its record and the settings of today."""

import pytest

from temper.artifacts.manifest import sha256
from temper.orchestration.job_record import JobRecord, record_path, write_job_record
from temper.orchestration.jobs import Job
from temper.orchestration.states import changed_keys, states


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "artifacts").mkdir()
    return tmp_path


def job(rule, row="", needs=(), inputs=(), **settings):
    outputs = (f"artifacts/{rule}{row}.bin", record_path(rule, row))
    return Job(rule, row, settings, tuple(inputs), outputs, tuple(needs))


def made(folder, planned, **settings):
    """Let a job have been made with these settings, by default today's."""
    file = folder / planned.outputs[0]
    file.write_text(planned.name)
    inputs = {path: sha256(path) for path in planned.inputs}
    write_job_record(
        JobRecord(planned.rule, planned.row, settings or planned.settings, inputs, {planned.outputs[0]: sha256(file)})
    )
    return planned


def kinds(*jobs):
    return [state.kind for state in states(jobs).values()]


def test_what_was_made_with_todays_settings_is_current(folder):
    assert kinds(made(folder, job("a", x=1))) == ["current"]


def test_what_is_not_there_is_absent(folder):
    assert kinds(job("a")) == ["absent"]


def test_another_setting_is_stale_and_names_it(folder):
    (state,) = states([made(folder, job("a", x=1), x=2)]).values()
    assert (state.kind, state.reason) == ("stale", "x: 2 → 1")


def test_another_byte_is_altered_whatever_the_settings(folder):
    planned = made(folder, job("a", x=1))
    (folder / planned.outputs[0]).write_text("other")
    assert kinds(planned) == ["altered"]


def test_a_torn_record_is_altered(folder):
    planned = made(folder, job("a", x=1))
    (folder / planned.outputs[1]).write_text("{")
    assert kinds(planned) == ["altered"]


def test_another_input_is_stale(folder):
    (folder / "raw.txt").write_text("one")
    planned = made(folder, job("a", inputs=["raw.txt"]))
    assert kinds(planned) == ["current"]
    (folder / "raw.txt").write_text("two")
    assert kinds(planned) == ["stale"]


def test_only_other_versions_is_a_state_of_its_own(folder):
    planned = made(folder, job("a", x=1, versions={"torch": "2"}), x=1, versions={"torch": "1"})
    assert kinds(planned) == ["other versions"]
    both = made(folder, job("a", x=1, versions={"torch": "2"}), x=2, versions={"torch": "1"})
    assert kinds(both) == ["stale"]


def test_what_follows_a_job_that_is_not_current_is_not_current(folder):
    first = made(folder, job("a", x=1), x=2)
    second = made(folder, job("b", needs=[("a", "")], inputs=[first.outputs[0]]))
    third = made(folder, job("c", needs=[("b", "")], inputs=[second.outputs[0]]))
    assert kinds(first, second, third) == ["stale", "stale", "stale"]


def test_what_follows_a_job_of_other_versions_can_be_kept_with_it(folder):
    first = made(folder, job("a", versions={"torch": "2"}), versions={"torch": "1"})
    second = made(folder, job("b", needs=[("a", "")], inputs=[first.outputs[0]]))
    assert kinds(first, second) == ["other versions", "other versions"]


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b: 1 → 2"]),
        ({"a": 1}, {"b": 1}, ["a: 1 → absent", "b: absent → 1"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a: [1, 2] → [1, 3]"]),
        ({"a": 1}, {"a": {"b": 1}}, ["a: 1 → {'b': 1}"]),
    ],
)
def test_changed_settings_are_listed_by_their_path(before, now, changed):
    assert changed_keys(before, now) == changed
