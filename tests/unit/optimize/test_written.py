import shutil
import subprocess
from pathlib import Path

import pytest

from temper.errors import ConfigError
from temper.optimize.written import write_own

ROOT = Path(__file__).resolve().parents[3]


def test_what_a_person_wrote_or_changed_is_not_written_over(tmp_path):
    write_own(tmp_path, "search.md", "one")
    write_own(tmp_path, "search.md", "two")
    (tmp_path / "search.md").write_text("one", encoding="utf-8")  # a kill between the two writes
    write_own(tmp_path, "search.md", "three")
    (tmp_path / "search.md").write_text("mine", encoding="utf-8")
    (tmp_path / "params.yaml").write_text("mine", encoding="utf-8")
    for name in ("search.md", "params.yaml"):
        with pytest.raises(ConfigError) as caught:
            write_own(tmp_path, name, "four")
        assert f"mv {tmp_path / name}" in caught.value.fix
        assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("study", ["", "studies/mine/"])
def test_git_leaves_out_what_a_search_makes_and_sees_what_it_found(tmp_path, study):
    """A search makes gigabytes of artifacts."""
    shutil.copy(ROOT / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    made = ["trials/artifacts/onnx/fp32/model.onnx", "trials/record.jsonl"]
    made += [f"latency-b1/{folder}/file" for folder in ("artifacts", "data", "logs", "set_aside", ".snakemake")]
    found = ["latency-b1/params.yaml", "latency-b1/search.md"]
    paths = [f"{study}optimize/{path}" for path in (*made, *found)]
    command = ["git", "check-ignore", "--no-index", *paths]
    ignored = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
    assert ignored == paths[: len(made)]
