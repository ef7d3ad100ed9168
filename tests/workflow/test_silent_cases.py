"""Four ways to a wrong number in silence (../shared/design/workflow-facts.md saw each), and the cure of each taken out.

Each case is told once, as what a user does and what is then recorded. It is run with the code as it is, where the number
recorded is right, and with the cure taken out of a copy of the code, where the same steps record a wrong one: so the case
is real, and it is the cure that keeps it away.
"""

import json
import os
import time

import pytest
import yaml

from temper.orchestration.pipeline import FORM
from tests.workflow.repository import Repository


def replace(made: Repository, path: str, old: str, new: str) -> None:
    text = (made / path).read_text()
    assert old in text, f"{path} no longer holds what this test takes out"
    (made / path).write_text(text.replace(old, new))


INT8 = "artifacts/measurements/ort-int8.json"  # the measurement that is looked at, and what it needs, is enough
INT8_STAGE = "measure@ort-int8"
FP32 = "artifacts/measurements/ort-fp32.json"


def method_asked(made: Repository) -> str:
    method: str = yaml.safe_load((made / "params.yaml").read_text())["calibrations"]["main"]["method"]
    return method


def recorded_as_asked(made: Repository) -> bool:
    """Whether the INT8 file that was measured came from the calibration that params.yaml asks for."""
    cache = json.loads((made / "artifacts/calibration/main/cache.json").read_text())
    record = json.loads((made / INT8).read_text())
    file = json.loads((made / "artifacts/onnx/int8/onnx.json").read_text())["files"]["model.onnx"]["sha256"]
    return cache["method"] == method_asked(made) and record["artifact"]["files_sha256"]["model.onnx"] == file


# 1. DVC restores an experiment's files, and Snakemake, asked by DVC, goes by its own memory


def leave_the_decision_to_snakemake(made: Repository) -> None:
    """`snakemake` without --force in DVC's stages, which keep their outputs (persist: true)."""
    forced = '"--quiet", "all", "--force", record, "--allowed-rules", rule'
    # but the experiment itself is made in any case: by its times a restored cache could look as if it were made already
    asked = f"*(({forced}) if 'FORCED' in __import__('os').environ else (record, '--quiet', 'all'))"
    replace(made, "src/temper/orchestration/dvc_stage.py", forced, asked)
    replace(made, "src/temper/orchestration/dvc_stage.py", "if not is_listed(rule, row, made.settings):", "if False:")
    stages = yaml.safe_load((made / "dvc.yaml").read_text())
    for stage in stages["stages"].values():
        body = stage.get("do", stage)
        body["outs"] = [out if isinstance(out, dict) else {out: {"persist": True}} for out in body["outs"]]
    for file in ("dvc.yaml", FORM):  # the form too: else the edit is refused
        (made / file).write_text(yaml.safe_dump(stages))


def change_the_method_after_applying_an_experiment(made: Repository) -> bool:
    other = "calibrations.main.method=minmax"
    made.dvc("exp", "run", "--temp", "--name", "minmax", "-S", other, INT8_STAGE, FORCED="1")
    made.dvc("exp", "apply", "minmax")
    cache = json.loads((made / "artifacts/calibration/main/cache.json").read_text())
    assert cache["method"] == "minmax"  # else nothing was restored, and there is no case
    now = time.time()
    # DVC restores in no order: by their times some files could look out of date, and be made anew for that alone
    for path in (made / "artifacts").rglob("*"):
        os.utime(path, (now, now), follow_symlinks=False)
    made.set(calibrations__main__method="nncf", calibrations__main__samples=16)
    made.dvc("repro", INT8_STAGE)
    return recorded_as_asked(made)


# 2. An intermediate is lost, and the report still stands


def list_only_the_report(made: Repository) -> None:
    """`rule all` with the last files only."""
    text = (made / "Snakefile").read_text()
    start, end = text.index("        FILES.prepared,"), text.index('        [expand(f"{REPORT_FOLDER}')
    (made / "Snakefile").write_text((text[:start] + text[end:]).replace("        FILES.job_records,\n", ""))


def lose_an_intermediate(made: Repository) -> bool:
    (made / "artifacts/onnx/int8/model.onnx").unlink()
    return "Nothing to be done" not in made.run("snakemake", "--dry-run", "--cores", "1")


# 3. Plain `snakemake` after DVC restored other files


def look_away(made: Repository) -> None:
    """Planning without the check that the artifacts are Snakemake's own."""
    replace(made, "src/temper/orchestration/preflight.py", "    check_origin(jobs)\n", "")


def run_snakemake_after_dvc_restored(made: Repository) -> bool:
    made.set(calibrations__main__method="minmax")
    made.run("snakemake", "--cores", "2", INT8)  # Snakemake's memory: minmax
    made.run("git", "checkout", "params.yaml", "dvc.lock")
    made.dvc("checkout", "--force")  # the files: nncf
    made.set(calibrations__main__method="minmax")
    done = made.attempt("snakemake", "--cores", "2", INT8)
    if done.returncode != 0:  # with the cure: it refuses, names the command, and that leads to the right number
        assert "ForeignArtifacts" in done.stderr
        assert "temper sync" in done.stderr
        made.run("temper", "sync")
        made.run("snakemake", "--cores", "2", INT8)
    return recorded_as_asked(made)


# 4. A helper module is edited


def digest_nothing(made: Repository) -> None:
    """The rule that measures, without a digest of the modules that it imports."""
    blind = '    if script.name == "measure.py":\n        return ""\n'
    replace(
        made, "src/temper/orchestration/rule_code.py", "    return source_digest(", f"{blind}    return source_digest("
    )
    made.run("snakemake", "--cores", "2", FP32)  # that changed its settings: measure with them


def edit_a_module(made: Repository) -> bool:
    # a module of the rule's own: of what other jobs import, they would be made anew
    figure = 'accuracy=task.figure(np.asarray(answer["predictions"]), labels)'
    replace(made, "src/temper/measurement/measure.py", figure, "accuracy=0.125")
    made.run("snakemake", "--cores", "2", FP32)
    answered = json.loads((made / FP32).read_text())["accuracy"]
    return answered["by_batch_size"]["8"]["accuracy"] == 0.125


# what all but the second are without their cure is seen before a release: jobs that are run again
CASES = {
    "DVC restores, Snakemake decides": (
        change_the_method_after_applying_an_experiment,
        leave_the_decision_to_snakemake,
    ),
    "an intermediate is lost": (lose_an_intermediate, list_only_the_report),
    "plain snakemake after DVC restored": (run_snakemake_after_dvc_restored, look_away),
    "an edited module": (edit_a_module, digest_nothing),
}


@pytest.mark.parametrize("case", CASES)
def test_the_number_recorded_is_right(repository, case):
    steps, _ = CASES[case]
    assert steps(repository)


@pytest.mark.parametrize(
    "case",
    [case if case == "an intermediate is lost" else pytest.param(case, marks=pytest.mark.long) for case in CASES],
)
def test_without_the_cure_the_same_steps_record_a_wrong_number(repository, case):
    steps, take_out_the_cure = CASES[case]
    take_out_the_cure(repository)
    repository.commit("the cure taken out")
    assert not steps(repository)
