"""A study below studies/ gets a DVC repository of its own: real git, real DVC, stages that take no time."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo

from temper.cli.raw import track_raw_files
from temper.errors import ConfigError, ExperimentError
from temper.orchestration.pipeline import FORM
from temper.orchestration.study_repository import check_pipeline, make_ready

pytestmark = pytest.mark.usefixtures("warm")

STAGES = "stages:\n  one: {cmd: echo 1 > out.txt, outs: [out.txt]}\n"


def dvc(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", "--cd", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    """What `checkout` copies: six calls of git and DVC take four seconds."""
    beside = tmp_path_factory.mktemp("once")
    folder = beside / "checkout"
    (folder / FORM).parent.mkdir(parents=True)
    (folder / "Snakefile").touch()
    for file in (FORM, "dvc.yaml"):
        (folder / file).write_text(STAGES)
    for name in ("one", "two"):
        (folder / f"studies/{name}/data/raw").mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    Repo.init(str(folder)).close()
    (folder / ".dvcignore").write_text("logs/\n")
    (folder / "studies/one/data/raw/train.tsv").write_text("text")
    dvc(folder / "studies/one", "add", "--quiet", "data/raw")
    dvc(folder, "remote", "add", "--quiet", "--default", "shared", str(beside / "remote"))
    dvc(folder, "remote", "add", "--quiet", "beside", "../store")
    dvc(folder, "remote", "modify", "--local", "shared", "verify", "true")
    return folder


@pytest.fixture
def checkout(made_once, tmp_path):
    """A checkout with two studies that DVC knows nothing of, data of one of which DVC tracks."""
    folder = shutil.copytree(made_once, tmp_path / "checkout", symlinks=True)
    config = folder / ".dvc/config"
    config.write_text(config.read_text().replace(str(made_once.parent), str(tmp_path)))
    return folder


def test_a_study_gets_stages_a_repository_the_checkouts_remotes_and_keeps_its_data(checkout, tmp_path):
    study = checkout / "studies/one"
    (study / "params.yaml").write_text("study: one\n")
    assert make_ready(study) == ["dvc.yaml", ".dvc", ".dvcignore"]
    assert (study / "dvc.yaml").read_text() == STAGES
    assert (study / ".dvcignore").read_text() == "logs/\n"
    assert Path(dvc(study, "root").strip()) == Path()
    remotes = dvc(study, "remote", "list").split()
    assert remotes == ["shared", str(tmp_path / "remote"), "(default)", "beside", str(tmp_path / "store")]
    assert "url = ../../../../store" in (study / ".dvc/config").read_text()  # the same place, from here
    assert "verify = true" in (study / ".dvc/config.local").read_text()
    dvc(study, "push", "--quiet", "data/raw.dvc")
    assert [path for path in (tmp_path / "remote").rglob("*") if path.is_file()]
    staged = subprocess.run(
        ["git", "-C", str(study), "diff", "--cached", "--name-only"], capture_output=True, text=True
    )
    assert {
        f"studies/one/{name}" for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", "dvc.yaml", "params.yaml")
    } <= set(staged.stdout.split())
    assert "config.local" not in staged.stdout
    assert make_ready(study) == []


def test_dvc_at_the_root_and_in_a_study_does_not_see_the_other(checkout):
    for name in ("one", "two"):
        make_ready(checkout / f"studies/{name}")
    for folder in (checkout, checkout / "studies/one"):
        with Repo(str(folder)) as repo:
            assert {stage.path for stage in repo.index.stages if stage.cmd} == {str(folder / "dvc.yaml")}


def test_a_study_that_the_checkouts_repository_keeps_stays_there(checkout):
    study = checkout / "studies/two"
    (study / "dvc.lock").write_text("schema: '2.0'\n")
    assert make_ready(study) == ["dvc.yaml"]
    assert not (study / ".dvc").exists()
    assert make_ready(checkout) == []


def test_data_that_was_changed_since_dvc_tracked_it_is_not_taken_in_silence(checkout):
    (checkout / "studies/one/data/raw/train.tsv").write_text("other text")
    with pytest.raises(ExperimentError, match=r"dvc commit data/raw\.dvc"):
        make_ready(checkout / "studies/one")


def test_stages_of_other_code_are_refused_with_the_command_that_brings_them(checkout, monkeypatch):
    study = checkout / "studies/two"
    make_ready(study)
    monkeypatch.chdir(study)
    check_pipeline()
    (study / "dvc.yaml").write_text(f"# laid out otherwise\n{STAGES}")
    check_pipeline()
    (study / "dvc.yaml").write_text(STAGES.replace("echo 1", "echo 2"))
    with pytest.raises(ConfigError) as caught:
        check_pipeline()
    with pytest.raises(ConfigError):
        make_ready()  # somebody's edit is not written over
    move, track = caught.value.fix.partition(",")[0].split(" && ")
    subprocess.run(move, shell=True, check=True)
    assert track == "temper track"
    assert make_ready() == ["dvc.yaml"]
    check_pipeline()


def test_what_dvc_refuses_is_told_in_its_words(checkout):
    study = checkout / "studies/two"
    (study / "data/raw/train.tsv").write_text("text")
    (checkout / FORM).write_text(STAGES.replace("outs", "outputs"))
    with pytest.raises(ExperimentError, match=r"dvc\.yaml' validation failed") as caught:
        track_raw_files(study)
    assert "dvc add data/raw" in caught.value.fix
