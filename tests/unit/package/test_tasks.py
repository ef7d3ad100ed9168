"""Packages whose answers are any number of labels, or a score: what they answer, serve and say, and what they refuse."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from temper.artifacts.manifest import canonical_json, read_document, seal, sha256
from temper.artifacts.signature import Signature
from temper.cli import main
from temper.data.encoded import read_split
from temper.measurement.record import Accuracy
from temper.package.runtime.answers import NONE
from temper.tasks.task import answered, task_of
from tests.unit.package.conftest import PARAMS, lay_out, measured, write_report
from tests.unit.package.test_serve import Server

TEXTS = ["a charming film", "the plot is dull and the cast is tired", "no"]
THRESHOLDS = (0.45, 0.6)


def sealed(manifest: Path) -> None:
    """A manifest over the files as they are now."""
    content = read_document(manifest)
    content.pop("manifest_sha256")
    for name, facts in content["files"].items():
        file = manifest.parent / name
        facts |= {"sha256": sha256(file), "size_bytes": file.stat().st_size}
    manifest.write_text(canonical_json({**content, "manifest_sha256": seal(content)}))


def one_output(file: Path) -> None:
    """A graph whose only logit is the difference of two: it is never a round number."""
    model = onnx.load(file)
    graph = model.graph
    (output,) = graph.output
    for node in graph.node:
        node.output[:] = ["two" if name == output.name else name for name in node.output]
    weights = onnx.numpy_helper.from_array(np.asarray([[1.0], [-1.0]], np.float32), "difference")
    graph.initializer.append(weights)
    graph.node.append(onnx.helper.make_node("MatMul", ["two", "difference"], [output.name]))
    output.type.tensor_type.shape.dim[1].dim_value = 1
    onnx.save(model, file)


@pytest.fixture(scope="module")
def finished(tiny_study, tmp_path_factory):
    """The tiny study as if its task were another: its artifacts' signatures, labels, and of a score their one output."""
    folders = {}

    def make(task: str) -> Path:
        if task in folders:
            return folders[task]
        folder = folders[task] = tmp_path_factory.mktemp(task)
        lay_out(tiny_study, folder)
        changes = {"labels": task}
        if task == "multi_label":
            prepared, artifact = changes, changes | {"thresholds": THRESHOLDS}
        else:
            prepared = artifact = changes | {"label_names": ["relevance"]}
        data = folder / "data/prepared"
        for place, update in (
            (data, prepared),
            *((folder / f"artifacts/onnx/{name}", artifact) for name in ("fp32", "int8")),
        ):
            signature = Signature.model_validate({**read_document(place / "signature.json"), **update}, strict=False)
            (place / "signature.json").write_text(signature.as_json())
        for name in ("train", "validation", "test", "calibration"):
            table = pq.read_table(data / f"{name}.parquet")
            old = table.column("label").to_numpy()
            new = pa.array(1 << old) if task == "multi_label" else pa.array(old + np.arange(len(old)) / 10)
            table = table.set_column(table.column_names.index("label"), "label", new)
            pq.write_table(table, data / f"{name}.parquet", compression="zstd")
            sealed(data / f"{name}.json")
        sealed(data / "data_card.json")
        for name in ("fp32", "int8"):
            if task == "score":
                one_output(folder / f"artifacts/onnx/{name}/model.onnx")
            sealed(folder / f"artifacts/onnx/{name}/onnx.json")
        study = replace(tiny_study, data=data)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            own = [("base", "onnx/fp32", 1.0), ("quick", "onnx/int8", 0.3)]
            write_report(
                [of_task(measured(study, name, "ort", *rest, ratio=r), folder) for name, *rest, r in own], PARAMS
            )
        return folder

    return make


def of_task(record, folder):
    """A record whose answers are those of its logits by the task."""
    signature = Signature.model_validate_json((folder / "artifacts/onnx/fp32/signature.json").read_text())
    split = read_split(folder / "data/prepared/test.parquet", signature)
    assert isinstance(record.accuracy, Accuracy)
    own = record.accuracy.answers
    found, labels = answered(np.asarray(own.logits), signature), split.labels
    own = own.model_copy(
        update={"predictions": found.tolist(), "accuracy": task_of(signature.labels).figure(found, labels)}
    )
    update = {
        "task": signature.labels,
        "labels": labels.tolist(),
        "by_batch_size": {record.accuracy.stated: own},
        "label_names": list(signature.label_names),
        "thresholds": signature.thresholds,
    }
    known = {key: value for key, value in update.items() if key in Accuracy.model_fields}
    return record.model_copy(update={"accuracy": record.accuracy.model_copy(update=known)})


@pytest.fixture(scope="module")
def packaged(finished, tmp_path_factory):
    """`temper package` of each, once."""
    folders = {}

    def package(task: str) -> Path:
        if task not in folders:
            folders[task] = tmp_path_factory.mktemp("packages") / task
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(finished(task))
                assert main(["package", "--to", str(folders[task]), "--candidate", "quick", "--anyway"]) == 0
        return folders[task]

    return package


def asked(folder: Path, *arguments: str) -> list[str]:
    command = [sys.executable, "-s", "-E", "-B", "-m", "package_runtime", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def predicted(study: Path, texts: list[str], capsys) -> list[dict]:
    """What `temper predict` answers to the same texts."""
    capsys.readouterr()
    assert main(["predict", "--directory", str(study), "--candidate", "quick", "--json", *texts]) == 0
    return json.loads(capsys.readouterr().out)["rows"]


def test_any_number_of_labels_are_those_above_their_thresholds(finished, packaged, capsys):
    answers = [json.loads(line) for line in asked(packaged("multi_label"), "--json", *TEXTS)]
    for answer, wanted in zip(answers, predicted(finished("multi_label"), TEXTS, capsys), strict=True):
        assert answer["label"] == wanted["label"]
        assert answer["confidences"] == pytest.approx(wanted["confidences"], abs=1e-6)
        assert answer["confidence"] == pytest.approx(wanted["confidence"], abs=1e-6)
        above = [
            name
            for name, least in zip(answer["confidences"], THRESHOLDS, strict=True)
            if answer["confidences"][name] >= least
        ]
        assert answer["labels"] == above
        assert answer["label"] == (", ".join(above) or NONE)
    card = (packaged("multi_label") / "README.md").read_text()
    assert "any of the labels negative, positive" in card
    assert "type: macro_f1" in card


def test_a_score_is_a_number(finished, packaged, capsys):
    answers = [json.loads(line) for line in asked(packaged("score"), "--json", *TEXTS)]
    wanted = [row["confidences"]["relevance"] for row in predicted(finished("score"), TEXTS, capsys)]
    assert [answer["score"] for answer in answers] == pytest.approx(wanted, abs=1e-5)
    assert set(answers[0]) == {"score", "label", "cut"}
    assert asked(packaged("score"), TEXTS[0]) == [f"{answers[0]['score']:.4f}\t{TEXTS[0]}"]
    assert "Gives texts a score, relevance." in (packaged("score") / "README.md").read_text()


@pytest.mark.parametrize("task", ["multi_label", "score"])
def test_all_test_rows_were_replayed(packaged, task):
    replayed = json.loads((packaged(task) / "manifest.json").read_text())["replayed"]
    assert (replayed["rows"], replayed["labels_differing"]) == (21, 0)


@pytest.mark.parametrize(("task", "spoil"), [("multi_label", "thresholds"), ("score", "logits")])
def test_answers_that_are_not_the_records_are_not_packaged(finished, tmp_path, monkeypatch, capsys, task, spoil):
    study = Path(shutil.copytree(finished(task), tmp_path / "study"))
    monkeypatch.chdir(study)
    monkeypatch.setattr("temper.package.write.read_source", changed(spoil))
    assert main(["package", "--to", str(tmp_path / "made"), "--candidate", "quick", "--anyway"]) != 0
    assert "labels differ, the first in row" in (said := capsys.readouterr().err) or "a logit differs by" in said
    assert not (tmp_path / "made").exists()


def changed(spoil: str):
    """`read_source` whose record has other answers than the artifact gives."""
    from temper.package.write import read_source

    def read(**arguments):
        source = read_source(**arguments)
        accuracy = source.accuracy
        own = accuracy.answers
        if spoil == "logits":
            other = own.model_copy(update={"logits": [[value + 0.5 for value in row] for row in own.logits]})
        else:
            other = own.model_copy(update={"predictions": [answer ^ 1 for answer in own.predictions]})
        record = source.selected.choice.record.model_copy(
            update={"accuracy": accuracy.model_copy(update={"by_batch_size": {accuracy.stated: other}})}
        )
        selected = replace(source.selected, choice=replace(source.selected.choice, record=record))
        return replace(source, selected=selected)

    return read


@pytest.mark.parametrize(
    ("task", "names"),
    [("multi_label", ["LABEL", "CONFIDENCE", "CONFIDENCES", "GIVEN"]), ("score", ["LABEL", "SCORE"])],
)
def test_a_server_says_and_gives_the_same(packaged, task, names):
    answers = [json.loads(line) for line in asked(packaged(task), "--json", *TEXTS)]
    server = Server(packaged(task))
    try:
        status, _, body = server.ask("POST", "/predict", json.dumps({"texts": TEXTS}))
        assert status == 200
        found = json.loads(body)["answers"]
        assert [row["label"] for row in found] == [row["label"] for row in answers]
        described = json.loads(server.ask("GET", "/v2/models/tiny")[2])["outputs"]
        assert [output["name"] for output in described] == names
        tensor = {"name": "TEXT", "datatype": "BYTES", "shape": [len(TEXTS), 1], "data": TEXTS}
        infer = json.loads(server.ask("POST", "/v2/models/tiny/infer", json.dumps({"inputs": [tensor]}))[2])["outputs"]
        given = {output["name"]: output["data"] for output in infer}
        assert [output["shape"] for output in infer] == [[len(TEXTS), output["shape"][1]] for output in described]
        last = names[-1]
        if task == "score":
            assert given[last] == pytest.approx([row["score"] for row in answers], abs=1e-5)
        else:
            assert given[last] == [name in row["labels"] for row in answers for name in row["confidences"]]
        raw = {"inputs": [tensor], "outputs": [{"name": last, "parameters": {"binary_data": True}}]}
        _, headers, body = server.ask("POST", "/v2/models/tiny/infer", json.dumps(raw))
        tail = body[int(headers["inference-header-content-length"]) :]
        assert np.frombuffer(tail, "<f4" if task == "score" else "?").tolist() == pytest.approx(given[last])
        assert server.ask("GET", "/docs")[0] == 200
    finally:
        server.process.kill()
        server.process.wait()
