"""The commands of docs/how-to/, as a reader types them, on the tiny study."""

import re
import shutil
import time
from pathlib import Path

import pytest
import yaml

from temper.engines.tensorrt_rtx import LIBRARY
from temper.environment.library import folder_of
from tests.user_checkpoint import ROWS, save_checkpoint, save_rows
from tests.workflow.conftest import HERE, ROOT
from tests.workflow.repository import checkout_of, make_repository
from tests.workflow.test_remotes import BUCKET, ENVIRONMENT, clone, s3

__all__ = ["s3"]  # a fixture
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[str]:
    found = BLOCK.findall((ROOT / "docs/how-to" / page).read_text(encoding="utf-8"))
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


@pytest.mark.long  # test_remotes.py runs the same commands one by one
@pytest.mark.parametrize("kind", ["folder", "S3"])
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


def shorten(file: Path) -> None:
    """What a reader need not do: few calls, a budget that a dozen test rows and a margin that a busy machine can meet, a
    baseline that is imported quickly."""
    content = yaml.safe_load(file.read_text())
    content["measurement"] = yaml.safe_load((HERE / "params.tiny.yaml").read_text())["measurement"]
    content["analysis"] = {"accuracy_budget_points": 60, "latency_margin": 0.99}
    content["baseline"] = {"backend": "ort-cpu", "loads": "onnx/fp32"}
    file.write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.mark.long  # each file of a new study is written and checked in tests/unit/studies/
def test_new_study_is_made_and_planned(tmp_path):
    made = make_repository(tmp_path / "checkout")
    checkpoint, data = save_checkpoint(tmp_path / "my-model"), save_rows(tmp_path / "reviews.tsv")
    first, plan, *_ = blocks("new-study.md")
    assert "run it:     temper run -C studies/mine" in run_block(
        made, first, CHECKPOINT=str(checkpoint), DATA=str(data)
    )
    assert (made / "studies/mine/data/raw.dvc").is_file()
    assert "measure openvino-int8" in run_block(made, plan)
    shutil.rmtree(made.folder)


@pytest.mark.long  # the tiny text study runs the same rules, test_predict.py answers from what they made
def test_new_study_and_predict(tmp_path):
    made = make_repository(tmp_path / "checkout")
    checkpoint, data = save_checkpoint(tmp_path / "my-model"), save_rows(tmp_path / "reviews.tsv")
    first, *others = blocks("new-study.md")
    assert "run it:     temper run -C studies/mine" in run_block(
        made, first, CHECKPOINT=str(checkpoint), DATA=str(data)
    )
    assert (made / "studies/mine/data/raw.dvc").is_file()
    shorten(made / "studies/mine/params.yaml")
    plan, run, table = (run_block(made, block) for block in others)
    assert "measure openvino-int8" in plan
    assert "jobs done in" in run
    assert "openvino-int8" in table
    texts, rows, everything = (run_block(made, block, ROWS=str(data)) for block in blocks("predict.md"))
    assert "a charming film" in texts
    assert "the decision's choice for b1-s" in texts
    assert f"{len(ROWS)} rows in " in rows
    labels = (made / "labels.tsv").read_text().splitlines()
    assert labels[0] == "row\tlabel\tconfidence\treview"
    assert len(labels) == 1 + len(ROWS)
    assert {line.split("\t")[1] for line in labels[1:]} <= {"negative", "positive"}
    assert '"candidate": "ort-fp32"' in everything
    shutil.rmtree(made.folder)


@pytest.mark.long  # minutes; test_new_study_and_predict and test_deploy run the same commands
def test_the_tutorial_from_its_first_command_to_its_last(tmp_path):
    made = make_repository(tmp_path / "checkout")
    checkpoint, data = save_checkpoint(tmp_path / "my-model"), save_rows(tmp_path / "reviews.tsv")
    init, plan, run, table, report, predict, package, use = blocks("../first-study.md")
    assert "run it:     temper run -C studies/mine" in run_block(made, init, CHECKPOINT=str(checkpoint), DATA=str(data))
    shorten(made / "studies/mine/params.yaml")
    assert "measure openvino-int8" in run_block(made, plan)
    assert "jobs done in" in run_block(made, run)
    assert "openvino-int8" in run_block(made, table)
    assert "artifacts/pages/report.html (" in run_block(made, report)
    assert "a charming film" in run_block(made, predict)
    refused = made.attempt("bash", "-e", "-c", package)
    if refused.returncode:  # workloads that chose different artifacts: the error names the option
        option = re.search(r"fix: +name the workload that is meant: (--workload \S+) or", refused.stderr)
        assert option, refused.stderr
        run_block(made, f"{package.strip()} {option[1]}")
    assert (tmp_path / "mine-package/manifest.json").is_file()
    answered = run_block(made, use)
    assert "positive" in answered or "negative" in answered
    shutil.rmtree(made.folder)
