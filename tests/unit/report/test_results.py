import pytest

from temper.errors import ConfigError
from temper.report.results import _check_name


def test_a_copied_study_does_not_file_its_records_under_the_others_name(tmp_path, monkeypatch):
    (tmp_path / "Snakefile").touch()
    (tmp_path / "src/temper").mkdir(parents=True)
    mine = tmp_path / "studies/mine"
    mine.mkdir(parents=True)
    monkeypatch.chdir(mine)
    _check_name("mine")
    with pytest.raises(ConfigError) as caught:
        _check_name("digits-resnet")
    assert "study: digits-resnet" in caught.value.happened
    assert caught.value.fix.startswith("set study: mine")
    monkeypatch.chdir(tmp_path)  # elsewhere a folder may be called anything
    _check_name("digits-resnet")
