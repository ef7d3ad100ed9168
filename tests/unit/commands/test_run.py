from temper.cli import main
from temper.errors import ConfigError


def test_a_folder_without_params_is_an_error_and_nothing_is_made_there(tmp_path, capfd):
    assert main(["run", "--directory", str(tmp_path / "typo")]) == 1
    shown = capfd.readouterr().err
    assert shown.startswith(f"{ConfigError.__name__}:")
    assert "params.yaml does not exist" in shown
    assert "temper studies lists those" in shown
    assert not (tmp_path / "typo").exists()


def test_cores_that_snakemake_cannot_read_are_refused_in_its_own_words(tmp_path, caplog):
    (tmp_path / "params.yaml").write_text("study: none\n")
    assert main(["run", "--directory", str(tmp_path), "--cores", "many"]) == 1
    assert "must be integer or 'all'" in caplog.text
