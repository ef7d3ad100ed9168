"""`temper predict` on the finished tiny studies: real artifacts, chosen by the real decision."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from temper.artifacts.manifest import artifact_digest
from temper.cli import main
from temper.data.digits import Options, load
from temper.environment.devices import nvidia_gpus
from temper.reading.typed import as_typed, typed_study
from tests.workflow.conftest import ROOT, StudyFolder, happened, jobs_in


def decision(study: StudyFolder) -> dict[str, Any]:
    """The content of its decision.json."""
    content: dict[str, Any] = json.loads((study / "artifacts/report/decision.json").read_text())
    return content


def again(study: StudyFolder) -> list[str]:
    """Arguments of the command that the decision names for measuring anew."""
    program, *arguments = shlex.split(decision(study)["remeasure"])
    assert program == "snakemake"
    return arguments


@pytest.fixture(scope="module")
def decided(finished: StudyFolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyFolder]:
    """The tiny study with a budget that its few rows can meet, and a margin that a busy machine keeps: the decision chooses."""
    folder = tmp_path_factory.mktemp("decided") / "study"
    shutil.copytree(finished.folder, folder, symlinks=True)
    study = StudyFolder(folder, finished.code)
    study.set(analysis__accuracy_budget_points=50, analysis__latency_margin=0.99)
    study.snakemake()
    if decision(study)["workloads"]["b2-s16"]["chosen"] is None:  # a machine that stalled: what a person would do
        study.snakemake(*again(study))
    yield study
    shutil.rmtree(folder)


@pytest.fixture
def predict(decided, tmp_path, monkeypatch, capfd):
    """Runs the command in this process, with its input and output in a folder of the test's own."""

    def run(*arguments: str, study: StudyFolder = decided, code: int = 0) -> tuple[str, str]:
        monkeypatch.chdir(tmp_path)
        capfd.readouterr()  # what the test itself printed
        assert main(["predict", "--directory", str(study.folder), *arguments]) == code
        return capfd.readouterr()

    return run


def test_texts_as_a_user_types_them_say_which_artifact_answered(decided):
    done = decided.temper("predict", "--directory", str(decided.folder), "a charming film", "a dull plot")
    assert done.returncode == 0, done.stderr
    assert "a charming film" in done.stdout
    chosen = decision(decided)["workloads"]["b2-s16"]["chosen"]
    record = json.loads((decided / f"artifacts/measurements/{chosen}.json").read_text())
    artifact = record["artifact"]
    digest = artifact_digest(artifact["files_sha256"])
    assert f"artifact:  artifacts/{artifact['loads']}, digest {digest} (checked)" in done.stderr
    assert f"candidate: {chosen}: the decision's choice for b2-s16" in done.stderr
    assert f"backend:   {record['backend']['name']}: " in done.stderr
    assert "of 60 test rows" in done.stderr
    assert "within the budget of 50 points" in done.stderr or "it is the baseline itself" in done.stderr
    assert "2 rows in " in done.stderr


@pytest.fixture
def rows(decided, tmp_path) -> Path:
    """The study's test rows as a file."""
    texts = pq.read_table(decided / "data/prepared/test.parquet").column("text").to_pylist()
    file = tmp_path / "rows.tsv"
    file.write_text("sentence\n" + "".join(f"{text}\n" for text in texts))
    return file


@pytest.mark.parametrize("candidate", ["ort-int8", "openvino-int8", "torch-fp32"])
def test_the_answers_are_those_whose_accuracy_was_measured(decided, predict, rows, candidate):
    out, _ = predict(rows.name, "--text-column", "sentence", "--candidate", candidate, "--json")
    answered = json.loads(out)
    record = json.loads((decided / f"artifacts/measurements/{candidate}.json").read_text())
    measured = record["accuracy"]["by_batch_size"][record["accuracy"]["stated"]]
    names = record["accuracy"]["label_names"]
    assert [row["label"] for row in answered["rows"]] == [names[label] for label in measured["predictions"]]
    logits = np.asarray(measured["logits"])
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = np.array([[row["confidences"][name] for name in names] for row in answered["rows"]])
    assert np.allclose(found, wanted, atol=2e-6)  # records hold six digits of a logit
    assert answered["artifact"]["files_sha256"] == record["artifact"]["files_sha256"]
    assert answered["candidate"] == candidate
    chosen = json.loads((decided / "artifacts/report/decision.json").read_text())["workloads"]["b2-s16"]["chosen"]
    assert answered["why"] == ("the decision's choice for b2-s16" if candidate == chosen else "named with --candidate")


def test_a_file_of_a_thousand_rows_gives_a_file_of_labels_and_the_time(predict, rows, tmp_path):
    texts = rows.read_text().splitlines()[1:]
    rows.write_text("sentence\n" + "".join(f"{texts[number % len(texts)]}\n" for number in range(1000)))
    out, said = predict(rows.name, "--text-column", "sentence", "--output", "labels.csv")
    assert out == ""
    lines = (tmp_path / "labels.csv").read_text().splitlines()
    assert lines[0] == "row,label,confidence,sentence"
    assert len(lines) == 1001
    assert lines[1].split(",")[1:] == lines[1 + len(texts)].split(",")[1:]  # the same text
    assert "1,000 rows in " in said
    assert "written:   labels.csv" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "rows.tsv"]


def test_without_an_output_labels_of_a_file_go_to_standard_output(predict, rows):
    out, said = predict(rows.name, "--text-column", "sentence")
    assert out.splitlines()[0] == "row\tlabel\tconfidence\tsentence"
    assert len(out.splitlines()) == 61
    assert said.startswith("artifact: ") or "\nartifact: " in said


def test_a_budget_that_the_rows_cannot_decide_gives_a_provisional_choice_and_says_so(decided, predict, tmp_path):
    """All that loses nothing by its estimate is undecided on 60 rows, and the fastest of it is served with its bound."""
    study = StudyFolder(tmp_path / "few-rows", decided.code)
    shutil.copytree(decided.folder, study.folder, symlinks=True)
    study.set(analysis__accuracy_budget_points=0.5)
    assert "measure" not in study.snakemake("--quiet", "all", "--dry-run")
    study.snakemake()
    choice = decision(study)["workloads"]["b2-s16"]
    out, said = predict("a text", "--json", study=study)
    assert json.loads(out)["candidate"] == choice["chosen"]
    provisional = [
        line for line in said.splitlines() if line.startswith("warning:   the choice is provisional: 60 test rows ")
    ]
    assert len(provisional) == choice["provisional"]
    assert all(f"it loses at most {choice['loses_at_most_points']:.2f} points (95 %)" in line for line in provisional)
    assert choice["provisional"] == ("Provisional: " in choice["sentence"]) == (choice["chosen"] != "ort-fp32")


def test_where_nothing_holds_it_refuses_and_the_command_it_names_takes_it_once_more(decided, predict, tmp_path):
    study = StudyFolder(tmp_path / "disturbed", decided.code)
    shutil.copytree(decided.folder, study.folder, symlinks=True)
    left_out = {f"candidates__{name}": ... for name in ("torch-fp32", "openvino-int8", "rtx-int8")}
    study.set(analysis__latency_margin=1e-9, **left_out)  # no machine is as quiet as that
    study.snakemake()
    choice = decision(study)["workloads"]["b2-s16"]
    assert (choice["chosen"], choice["pareto_front"]) == (None, [])
    out, said = predict("a text", study=study, code=1)
    assert out == ""
    assert shlex.join(["snakemake", *again(study)]) in choice["sentence"]
    with typed_study(str(study.folder)):
        shown = as_typed(choice["sentence"])
    assert f"temper run -C {study.folder} --again remeasure" in shown
    assert happened(said) == shown
    refused = study.temper("package", "--directory", str(study.folder), "--to", str(tmp_path / "package"))
    assert happened(refused.stderr) == shown
    assert (refused.returncode, (tmp_path / "package").exists()) == (1, False)
    assert jobs_in(study.snakemake(*again(study))) == ["remeasure", "report"]
    out, _ = predict("a text", "--candidate", "ort-int8", study=study)  # by its name it answers all the same
    assert "a text" in out


def test_a_text_longer_than_the_study_takes_is_cut_and_said_or_refused(predict):
    long = " ".join(["film"] * 200)
    out, _ = predict(long, "a short one", "--json")
    answered = json.loads(out)
    assert [row["cut"] for row in answered["rows"]] == [True, False]
    assert "longer than the study's 32 tokens, and cut" in answered["notes"][0]
    _, said = predict(long, "--strict", code=1)
    assert "longer than the study's 32 tokens" in happened(said)


def test_an_altered_artifact_answers_nothing(decided, predict, tmp_path):
    study = StudyFolder(tmp_path / "altered", decided.code)
    shutil.copytree(decided.folder, study.folder, symlinks=True)
    model = study / "artifacts/onnx/int8/model.onnx"
    model.write_bytes(model.read_bytes() + b" ")
    out, said = predict("a text", "--candidate", "ort-int8", study=study, code=1)
    assert out == ""
    assert "truncated or altered since" in happened(said)
    arguments = (
        "--directory",
        str(study.folder),
        "--to",
        str(tmp_path / "package"),
        "--candidate",
        "ort-int8",
        "--anyway",
    )
    refused = study.temper("package", *arguments)
    assert "truncated or altered since" in happened(refused.stderr)
    assert not (tmp_path / "package").exists()


@pytest.mark.skipif(bool(nvidia_gpus()), reason="this machine has an NVIDIA GPU")
def test_an_engine_without_a_gpu_is_an_error_that_names_another(predict):
    _, said = predict("a text", "--candidate", "rtx-int8", code=1)
    assert happened(said) == "it needs 1 NVIDIA GPU, this machine has none"
    other = said.split("--candidate ")[1].split(":")[0]
    out, _ = predict("a text", "--candidate", other, "--json")
    assert json.loads(out)["candidate"] == other


def test_what_is_missing_here_is_an_error_that_names_another(decided, predict, tmp_path):
    """A backend whose library is not here says so; a study that was not run, too."""
    _, said = predict("a text", study=StudyFolder(tmp_path, decided.code), code=1)
    assert "params.yaml does not exist" in happened(said)
    (tmp_path / "params.yaml").write_text("study: x\n")
    _, said = predict("a text", study=StudyFolder(tmp_path, decided.code), code=1)
    assert "the study has not been run to its end" in happened(said)


def test_an_image_goes_through_the_studys_own_preprocessing(finished_images, predict, tmp_path):
    options = Options(source="digits", validation_rows=50, calibration_rows=16, max_tokens=None, test_rows=1500)
    test = load(options, 17).test
    assert test.images is not None
    for row, pixels in enumerate(list(test.images)[:3]):
        Image.fromarray(pixels).save(tmp_path / f"{row}.png")
    out, _ = predict("0.png", "1.png", "2.png", "--candidate", "ort-int8", "--json", study=finished_images)
    record = json.loads((finished_images / "artifacts/measurements/ort-int8.json").read_text())
    measured = record["accuracy"]["by_batch_size"][record["accuracy"]["stated"]]
    assert [row["label"] for row in json.loads(out)["rows"]] == [str(label) for label in measured["predictions"][:3]]
    (tmp_path / "broken.png").write_bytes((tmp_path / "0.png").read_bytes()[:40])
    _, said = predict("0.png", "broken.png", "--candidate", "ort-int8", study=finished_images, code=1)
    assert "asked:    read the image" in said
    assert "broken.png" in said


def test_what_was_chosen_is_packaged_and_answers_by_itself(decided, tmp_path):
    """docs/how-to/deploy.md as a reader types it, and the images' study."""
    page = (ROOT / "docs/how-to/deploy.md").read_text()
    blocks = re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    study = tmp_path / "study"
    shutil.copytree(decided.folder, study, symlinks=True)
    choice = decision(decided)["workloads"]["b2-s16"]["chosen"]
    environment = {**os.environ, "PYTHONPATH": str(decided.code / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PATH"] = (
        f"{tmp_path / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    )
    (tmp_path / "bin").mkdir()
    named = "" if choice.startswith(("ort", "openvino")) else " --candidate ort-int8 --anyway"
    (tmp_path / "bin/temper").write_text(f'#!/bin/sh\nexec {sys.executable} -m temper.cli "$@"{named}\n')
    (tmp_path / "bin/temper").chmod(0o755)
    outputs = []
    for block in blocks:
        folder = tmp_path / "package" if "package_runtime serve" in block else study
        done = subprocess.run(["bash", "-e", "-c", block], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout)
    written, answered, served, forms = outputs
    assert "replayed:  60 test rows, every label as measured" in written
    assert "Answer(label=" in answered
    assert '"answers": [{"label"' in served
    assert "package_rows_total 2.0" in served
    assert forms.count("replayed:  60 test rows") == 4


def test_images_are_packaged_with_their_own_pixels(finished_images, tmp_path):
    folder = tmp_path / "package"
    arguments = ("--directory", str(finished_images.folder), "--to", str(folder), "--candidate", "ort-int8", "--anyway")
    done = finished_images.temper("package", *arguments)
    assert done.returncode == 0, done.stderr
    options = Options(source="digits", validation_rows=50, calibration_rows=16, max_tokens=None, test_rows=1500)
    test = load(options, 17).test
    assert test.images is not None
    for row, pixels in enumerate(list(test.images)[:3]):
        Image.fromarray(pixels).save(folder / f"{row}.png")
    command = [sys.executable, "-s", "-E", "-B", "-m", "package_runtime", "0.png", "1.png", "2.png"]
    answered = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert answered.returncode == 0, answered.stderr
    record = json.loads((finished_images / "artifacts/measurements/ort-int8.json").read_text())
    measured = record["accuracy"]["by_batch_size"][record["accuracy"]["stated"]]
    labels = [line.split("\t")[0] for line in answered.stdout.splitlines()]
    assert labels == [str(label) for label in measured["predictions"][:3]]
