import importlib.util
import os
import sys

import pytest

from temper.cli import main
from temper.cli.run_study import _find_executors, forced
from temper.errors import ConfigError

JOBS = {
    "fine_tune": ("",),
    "export_onnx": ("fp32",),
    "measure": ("fp32", "ort"),
    "load_test": ("ort",),
    "remeasure": ("",),
}


def test_a_folder_without_params_is_an_error_and_nothing_is_made_there(tmp_path, capfd):
    assert main(["run", "--directory", str(tmp_path / "typo")]) == 1
    shown = capfd.readouterr().err
    assert shown.startswith(f"{ConfigError.__name__}:")
    assert "params.yaml does not exist" in shown
    assert "temper studies lists those" in shown
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    ("option", "fix"),
    [
        (["--cores", "many"], "--cores all"),
        (["--cores", "0"], "--cores all"),
        (["--profile", "none"], "--profile profiles/slurm"),
    ],
)
def test_options_that_snakemake_cannot_read_are_refused_before_it_begins(tmp_path, capsys, option, fix):
    (tmp_path / "params.yaml").write_text("study: none\n")
    assert main(["run", "--directory", str(tmp_path), *option]) == 1
    said = capsys.readouterr().err
    assert f"asked:    run with {' '.join(option)}" in said
    assert f"fix:      {fix}" in said or f"the folder that holds it: {fix}" in said


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """A profile that names an executor of its own; the package of that is not there yet."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", "before")
    (tmp_path / "params.yaml").write_text("study: none\n")
    folder = tmp_path / "profile"
    folder.mkdir()
    (folder / "config.yaml").write_text("executor: own\n")
    return folder


def test_an_executor_in_the_profiles_folder_is_found_here_and_by_what_is_started(profile):
    package = profile / "snakemake_executor_plugin_own"
    package.mkdir()
    (package / "__init__.py").write_text("")
    _find_executors(profile)
    assert importlib.util.find_spec(package.name) is not None
    assert os.environ["PYTHONPATH"] == f"before{os.pathsep}{profile}"


def test_an_executor_that_stands_on_what_is_not_installed_is_refused(profile, capsys):
    package = profile / "snakemake_executor_plugin_unfounded"
    package.mkdir()
    (package / "__init__.py").write_text("import snakemake_executor_plugin_of_nobody\n")
    assert main(["run", "--directory", str(profile.parent), "--profile", str(profile)]) == 1
    said = capsys.readouterr().err
    assert "happened: No module named 'snakemake_executor_plugin_of_nobody'" in said
    assert "requirements/slurm.txt" in said


def test_an_executor_that_is_not_there_is_refused_in_snakemakes_words(profile, capsys):
    assert main(["run", "--directory", str(profile.parent), "--profile", str(profile)]) == 1
    assert "invalid choice: 'own' (choose from " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("remeasure", ["remeasure"]),
        ("ort", ["artifacts/jobs/measure/ort.json", "artifacts/jobs/load_test/ort.json"]),
        ("fp32", ["artifacts/jobs/measure/fp32.json"]),  # an export has that name, too: what is measured is meant
    ],
)
def test_again_takes_a_rule_or_an_entry(name, told):
    assert forced(JOBS, [name]) == told


def test_again_takes_a_machine_that_is_to_be_looked_at_anew():
    assert forced({**JOBS, "read_machine": ("gpu-node",)}, ["gpu-node"]) == ["machines/gpu-node.json"]


@pytest.mark.parametrize("name", ["int4", ""])
def test_again_refuses_what_is_neither(name):
    with pytest.raises(ConfigError) as caught:
        forced(JOBS, [name])
    assert caught.value.fix.startswith("name an entry (fp32, ort, ort), or a rule (fine_tune, ")
