import pytest

from temper.measurement.patience import RUN, note_waited, wait_left_s


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(RUN, "host 1 2 3")


def test_the_measurements_of_a_run_share_what_it_waits(monkeypatch):
    assert wait_left_s(10.0) == 10.0
    note_waited(4.0)
    note_waited(3.0)
    assert wait_left_s(10.0) == 3.0
    assert wait_left_s(5.0) == 0.0
    monkeypatch.setenv(RUN, "host 9 9 9")
    assert wait_left_s(10.0) == 10.0


def test_where_no_run_is_known_each_has_its_own(monkeypatch, tmp_path):
    monkeypatch.delenv(RUN)
    note_waited(4.0)
    assert wait_left_s(10.0) == 10.0
    assert list(tmp_path.iterdir()) == []


def test_a_torn_note_is_none(tmp_path):
    note_waited(4.0)
    (tmp_path / ".snakemake/temper/waited.json").write_text("{")
    assert wait_left_s(10.0) == 10.0
