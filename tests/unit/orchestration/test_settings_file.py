import json

from temper.orchestration.jobs import Job
from temper.orchestration.settings_file import is_listed, settings_json, write_settings_json

SETTINGS = {"calibration": {"method": "nncf", "samples": 128}, "source": "abc"}


def job(row="main", settings=SETTINGS, inputs=()):
    return Job("calibrate", row, settings, inputs, (f"artifacts/calibration/{row}/cache.json",), ())


def test_a_job_has_one_digest_of_its_settings_and_one_of_outside_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw.tsv").write_text("a")
    alone = settings_json([job()])["jobs"]["calibrate"]["main"]
    with_file = settings_json([job(inputs=("raw.tsv",))])["jobs"]["calibrate"]["main"]
    assert with_file.split()[0] == alone
    (tmp_path / "raw.tsv").write_text("b")
    other = settings_json([job(inputs=("raw.tsv",))])["jobs"]["calibrate"]["main"]
    assert other.split()[0] == alone
    assert other != with_file
    (tmp_path / "made.txt").write_text("a")
    after = Job("measure", "a", SETTINGS, ("made.txt",), ("a.json",), ())
    maker = Job("calibrate", "main", SETTINGS, (), ("made.txt",), ())
    assert (
        settings_json([maker, after])["jobs"]["measure"]["a"] == alone
    )  # what a job makes is its consumer's dependency


def test_any_other_setting_is_another_digest_and_the_order_of_keys_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    digests = {
        settings_json([job(settings=settings)])["jobs"]["calibrate"]["main"]
        for settings in (
            SETTINGS,
            {**SETTINGS, "source": "abd"},
            {**SETTINGS, "more": None},
            dict(reversed(SETTINGS.items())),
        )
    }
    assert len(digests) == 3


def test_a_job_is_listed_where_the_file_was_written_for_its_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not is_listed("calibrate", "main", SETTINGS)
    write_settings_json([job(), Job("report", "", {"a": 1}, (), ("report.json",), ())])
    assert is_listed("calibrate", "main", SETTINGS)
    assert is_listed("report", "", {"a": 1})
    assert not is_listed("calibrate", "main", {**SETTINGS, "source": "abd"})
    assert not is_listed("calibrate", "other", SETTINGS)
    (tmp_path / "settings.json").write_text(json.dumps({"calibrate": {"main": SETTINGS}}))  # of the form before
    assert not is_listed("calibrate", "main", SETTINGS)
