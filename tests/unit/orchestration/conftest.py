import subprocess
import sys

import pytest


@pytest.fixture
def dvc_study(tmp_path, monkeypatch):
    """A study in a DVC repository without git: data/raw is tracked, with two files."""
    from dvc.repo import Repo

    monkeypatch.chdir(tmp_path)
    Repo.init(str(tmp_path), no_scm=True).close()
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/one.tsv").write_text("one")
    (tmp_path / "data/raw/two.tsv").write_text("two")
    subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", "data/raw"], check=True)
    return tmp_path
