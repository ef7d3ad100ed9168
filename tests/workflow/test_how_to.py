"""The commands of docs/how-to/, as a reader types them, on the tiny study."""

import re
import shutil
import time
from pathlib import Path

import pytest

from temper.engines.tensorrt_rtx import LIBRARY
from temper.library import folder_of
from tests.workflow.conftest import ROOT
from tests.workflow.repository import checkout_of, make_repository
from tests.workflow.test_remotes import BUCKET, ENVIRONMENT, clone, s3

__all__ = ["s3"]  # a fixture
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[str]:
    found = BLOCK.findall((ROOT / "docs/how-to" / page).read_text())
    assert len(found) >= 3
    return found


def run_block(made, block: str, **environment: str) -> str:
    """Each command has to succeed; a queue that was started is waited for."""
    output = made.run("bash", "-e", "-c", block, **environment)
    if "dvc queue start" in block:
        deadline = time.monotonic() + 240
        while re.search("Running|Queued", status := made.dvc("queue", "status")):
            assert time.monotonic() < deadline, status
            time.sleep(1)
        assert "Failed" not in status
    return output


@pytest.mark.long  # five minutes; test_experiments.py runs the same commands one by one
def test_compare_calibration_settings(tmp_path):
    made = make_repository(tmp_path / "study")
    output = "".join(run_block(made, block) for block in blocks("compare-calibrations.md"))
    assert "| nncf-12 |" in output
    assert "Nothing to be done" in output
    shutil.rmtree(made.folder)


@pytest.mark.skipif(not folder_of(LIBRARY, "1.5.0.114").is_dir(), reason="TensorRT-RTX 1.5 is not there (make library)")
def test_upgrade_tensorrt(repository):
    output = "".join(run_block(repository, block) for block in blocks("upgrade-tensorrt.md"))
    assert "| int8 | 1.6.1.120 → 1.5.0.114 |" in output
    assert "Nothing to be done" in output


# test_remotes.py has S3 in every run
@pytest.mark.parametrize("kind", ["folder", pytest.param("S3", marks=pytest.mark.long)])
def test_share_results(kind, finished, tmp_path: Path, request):
    made = checkout_of(finished, tmp_path / "study")
    (made / "artifacts/report/summary.md").unlink()  # what is left to be finished
    environment = {**ENVIRONMENT, "REMOTE": str(tmp_path / "remote")}
    if kind == "S3":
        environment |= {"REMOTE": f"s3://{BUCKET}/how-to", "AWS_ENDPOINT_URL": request.getfixturevalue("s3")}
    listed = blocks("share-results.md")
    there = next(number for number, block in enumerate(listed) if block.startswith("# in the clone"))
    for block in listed[:there]:
        run_block(made, block, **environment)
    other = clone(made, tmp_path / "clone")
    assert "made known to Snakemake" in run_block(other, listed[there], **environment)
    assert other.planned() == []
    run_block(other, listed[there + 1], **environment)
    assert (other / "results/my-machine/tiny/params.yaml").is_file()
    shutil.rmtree(made.folder)
    shutil.rmtree(other.folder)
