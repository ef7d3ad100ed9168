"""What may lie in a study's folder, or be put in the place of its artifacts, through the real commands.

tests/unit/ has each kind for itself; here is that the commands hold it.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from temper.orchestration.job_record import record_path
from tests.workflow.conftest import StudyFolder, happened, jobs_in

LIGHT = record_path("choose_buckets", "main")  # the job that takes least


def lay_traps(study: StudyFolder) -> Path:
    """Files with the names of libraries, and a profile whose expressions Snakemake would evaluate; says what they would make."""
    ran = study / "ran"
    for name in ("random", "numpy", "yaml", "json"):
        (study / f"{name}.py").write_text(f"open({str(ran)!r}, 'w')\nraise SystemExit('{name} of the folder')\n")
    (study / "profiles/default").mkdir(parents=True)
    evaluated = f"__use_yte__: true\n?__import__('os').system('touch {ran}'): {{}}\nquiet: [host]\n"
    (study / "profiles/default/config.yaml").write_text(evaluated)
    return ran


def test_files_of_a_studys_folder_are_neither_libraries_nor_settings(study):
    ran = lay_traps(study)
    done = study.temper("plan", "--directory", str(study.folder))
    assert "Nothing to be done" in done.stdout, done.stdout + done.stderr
    assert jobs_in(study.snakemake("--force", LIGHT)) == ["choose_buckets main"]
    assert not ran.exists()


@pytest.mark.long
@pytest.mark.parametrize("command", ["sync", "forget", "report"])
def test_a_study_on_a_read_only_disk_is_refused_in_four_parts(study, command):
    (study / "kept_versions.json").write_text("{}")  # which forget would remove
    if subprocess.run(["mount", "--bind", str(study.folder), str(study.folder)], check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(study.folder)], check=True)
        done = study.temper(command, "--directory", str(study.folder))
    finally:
        subprocess.run(["umount", "--lazy", str(study.folder)], check=True)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stdout + done.stderr
    assert happened(done.stderr).startswith("Read-only file system, of ")


# What is put in an artifact's place


def exchange(study: StudyFolder) -> None:
    """Two folders, with their times."""
    onnx = study / "artifacts/onnx"
    for old, new in (("fp32", "x"), ("int8", "fp32"), ("x", "int8")):
        (onnx / old).rename(onnx / new)


def copy_another_studys(study: StudyFolder) -> None:
    """An ONNX file with its manifest and its tokenizer."""
    shutil.copytree(study / "artifacts/onnx/fp16", study / "artifacts/onnx/int8", dirs_exist_ok=True)


def with_its_job_record(study: StudyFolder) -> None:
    copy_another_studys(study)
    shutil.copy(study / record_path("convert_precision", "fp16"), study / record_path("convert_precision", "int8"))


def swap_bytes(study: StudyFolder) -> None:
    """Size and time stay."""
    file = study / "artifacts/onnx/fp32/model.onnx"
    times, content = file.stat(), bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def edit(path: str) -> Callable[[StudyFolder], None]:
    def spoil(study: StudyFolder) -> None:
        text = (study / path).read_text()
        (study / path).write_text(re.sub(r"\d\.\d", "0.1", text, count=1))
        assert (study / path).read_text() != text

    return spoil


def link_the_measurements(study: StudyFolder) -> None:
    (study / "artifacts/measurements").rename(study / "elsewhere")
    (study / "artifacts/measurements").symlink_to(study / "elsewhere")


def lose_the_memory_and_a_file(study: StudyFolder) -> None:
    shutil.rmtree(study / ".snakemake")
    (study / "artifacts/onnx/fp32/model.onnx").unlink()


def lose_the_memory_and_a_job_record(study: StudyFolder) -> None:
    shutil.rmtree(study / ".snakemake")
    (study / record_path("measure", "ort-int8")).unlink()


def lose_the_memory_and_empty_a_file(study: StudyFolder) -> None:
    shutil.rmtree(study / ".snakemake")
    (study / "artifacts/onnx/int8/model.onnx").write_bytes(b"")


SPOILED = {
    "two folders exchanged": (exchange, "changed since its job wrote it: artifacts/onnx/fp32/model.onnx"),
    "another study's folder": (copy_another_studys, "changed since its job wrote it: artifacts/onnx/int8/"),
    "and its job record": (with_its_job_record, "artifacts were put here since its last run"),
    "bytes, with size and time kept": (swap_bytes, "changed since its job wrote it: artifacts/onnx/fp32/model.onnx"),
    "an edited record": (
        edit("artifacts/measurements/ort-int8.json"),
        "changed since its job wrote it: artifacts/measurements/ort-int8.json",
    ),
    "an edited report": (
        edit("artifacts/report/comparison.json"),
        "changed since its job wrote it: artifacts/report/comparison.json",
    ),
    "an edited job record": (edit(record_path("measure", "ort-int8")), "artifacts were put here since its last run"),
    "a linked folder": (link_the_measurements, "artifacts/measurements is a link, to "),
    "a lost memory and a lost file": (lose_the_memory_and_a_file, "artifacts were put here since its last run"),
    "a lost memory and a lost job record": (
        lose_the_memory_and_a_job_record,
        "artifacts were put here since its last run",
    ),
    "a lost memory and an empty file": (lose_the_memory_and_empty_a_file, "artifacts were put here since its last run"),
}


@pytest.mark.long
@pytest.mark.parametrize("case", SPOILED)
def test_what_is_put_in_an_artifacts_place_is_refused_and_every_printed_fix_ends(study, case):
    spoil, words = SPOILED[case]
    spoil(study)
    assert words in happened(study.refused())
    followed = []
    for _ in range(4):
        done = study.temper("plan", "--directory", str(study.folder))
        if done.returncode == 0:
            break
        fix = re.search(r"fix: +(.+)", done.stderr)
        assert fix is not None, done.stderr
        followed.append(fix[1])
        follow(study, fix[1])
    else:
        raise AssertionError(followed)
    assert len(followed) == 1, followed


def follow(study: StudyFolder, fix: str) -> None:
    """Do what a fix line says first."""
    if fix.startswith("temper sync"):
        done = study.temper("sync", "--directory", str(study.folder))
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        (study / fix.split()[1]).unlink()  # rm PATH
