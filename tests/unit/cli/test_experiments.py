from temper.cli import main
from temper.orchestration.pipeline import FORM


def test_a_study_that_dvc_does_not_know_has_no_experiments(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").touch()
    assert main(["experiments", "--directory", str(tmp_path)]) == 1
    assert "never handed to DVC" in capsys.readouterr().err


def test_track_says_what_it_wrote_once(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the command stands in the study: put back afterwards
    (tmp_path / FORM).parent.mkdir(parents=True)
    (tmp_path / "Snakefile").touch()
    (tmp_path / FORM).write_text("stages: {}\n")
    study = tmp_path / "studies/one"
    study.mkdir(parents=True)
    (study / "params.yaml").touch()
    assert main(["track", "--directory", str(study)]) == 0
    assert capsys.readouterr().out == "written for DVC, for git to keep: dvc.yaml\n"
    assert main(["track", "--directory", str(study)]) == 0
    assert capsys.readouterr().out == ""
