"""The winner of `temper optimize` beside the winner of Olive's own search, both in turns with PyTorch FP32, in one run.

    .venv/bin/python benchmarks/olive_search.py --study studies/NAME/optimize/latency-b12-s64 --candidates fastest exact \\
        --python PYTHON_WITH_OLIVE --minutes 15 --budget-points 0.3 --out figures.json

--study is the folder that a search wrote for one workload. Olive searches from the same checkpoint in an environment of its own
(`pip install olive-ai==0.11.0 "pydantic<2.13" optuna psutil requests tabulate onnxscript transformers torch==2.13.0`, and the
onnxruntime of this environment), for as many minutes, with the same goal: the fastest model that loses no more points on the
validation rows. It calibrates on the study's first calibration rows, padded to one length, without which ONNX Runtime's
histograms fail, and times on one batch of validation rows in the workload's shape (of real lengths: one of median length). What
it may choose from, and why this version, stands in benchmarks/olive_workflow.py. Its model then runs in the ONNX Runtime of this
environment, with the session's options that it found. Accuracy is of all test rows. Every figure is taken in this one run on
this machine; nothing here is a test.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
from peers import FinishedStudy, measure

from temper.artifacts.signature import SEQUENCE_AXIS, Tensors
from temper.backends.runner import Logits, Runner
from temper.data.encoded import Split, collate, row_lengths


class Peer(Runner):
    """Olive's model in ONNX Runtime, opened as Olive opens it."""

    def __init__(self, model: Path, inference_settings: dict[str, Any]) -> None:
        self._model, self._settings = model, inference_settings.get("session_options") or {}

    def __enter__(self) -> Self:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        for name in ("intra_op_num_threads", "inter_op_num_threads"):
            if self._settings.get(name):
                setattr(options, name, self._settings[name])
        if (mode := self._settings.get("execution_mode")) is not None:
            options.execution_mode = onnxruntime.ExecutionMode(mode)
        if (level := self._settings.get("graph_optimization_level")) is not None:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel(level)
        for name, value in (self._settings.get("extra_session_config") or {}).items():
            options.add_session_config_entry(name, value)
        self._session = onnxruntime.InferenceSession(str(self._model), options, providers=["CPUExecutionProvider"])
        self._inputs = {entry.name for entry in self._session.get_inputs()}
        return self

    def infer(self, inputs: Tensors) -> Logits:
        fed = {name: inputs[name] for name in inputs if name in self._inputs}
        return np.asarray(self._session.run(None, fed)[0], np.float32)

    def __exit__(self, *exc_info: object) -> None:
        del self._session

    def describe(self) -> dict[str, Any]:
        return {"library": "onnxruntime"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True, help="folder that a search wrote, its study finished")
    parser.add_argument("--candidates", nargs="+", required=True)
    parser.add_argument("--python", type=Path, required=True, help="an interpreter that has olive-ai")
    parser.add_argument("--minutes", type=float, required=True, help="of Olive's search")
    parser.add_argument("--budget-points", type=float, required=True, help="accuracy that Olive may lose on validation")
    parser.add_argument(
        "--samples", type=int, default=100, help="calibration rows of Olive's; it keeps all their activations"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--repeats", type=int, default=20, help="calls of which Olive takes the median, 20 by its own default"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="at most, of each pair")
    parser.add_argument("--work", type=Path, help="where to keep Olive's models and its log; else they are removed")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    out = arguments.out.absolute() if arguments.out else None
    # not resolved: a virtual environment's interpreter is a link
    python, script = arguments.python.absolute(), Path(__file__).resolve().with_name("olive_workflow.py")
    work = arguments.work.absolute() if arguments.work else None
    os.chdir(arguments.study)
    finished = FinishedStudy()
    (workload,) = finished.study.workloads
    with tempfile.TemporaryDirectory() as scratch:
        folder = work or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        store_rows(finished, workload, folder, arguments.samples)
        began = time.monotonic()
        found = search(finished, folder, python, script, arguments)
        taken_s = round(time.monotonic() - began, 1)
        print("Olive:", json.dumps({name: found[name] for name in ("metrics", "evaluated", "failed")}), flush=True)
        peers: dict[str, Runner] = {"olive": Peer(Path(found.pop("model")), found["inference_settings"])}
        figures = {
            "study": finished.study.study,
            "threads": arguments.threads,
            "minutes": arguments.minutes,
            "budget_points": arguments.budget_points,
            "samples": arguments.samples,
            "olive": found | {"taken_s": taken_s},
            **measure(finished, arguments.candidates, peers, arguments.seconds),
        }
    if out:
        out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def search(
    finished: FinishedStudy, folder: Path, python: Path, script: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Run Olive below a folder, its log beside its models; what it found."""
    request = {
        "checkpoint": str(Path("artifacts/checkpoint").absolute()),
        "folder": str(folder),
        "output": str(folder),
        "labels": len(finished.signature.label_names or ()),
        "threads": arguments.threads,
        "minutes": arguments.minutes,
        "points": arguments.budget_points,
        "repeats": arguments.repeats,
        "seed": finished.study.seed,
    }
    (folder / "request.json").write_text(json.dumps(request, indent=2), encoding="utf-8")
    command = [python, script, "request.json", "found.json"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # of this environment
    quiet = {"OLIVE_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(arguments.threads)}
    with Path(folder, "olive.log").open("w", encoding="utf-8") as log:
        done = subprocess.run(command, cwd=folder, env={**kept, **quiet}, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        raise SystemExit("Olive's search failed:\n" + (folder / "olive.log").read_text(encoding="utf-8")[-4000:])
    found: dict[str, Any] = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return found


def store_rows(finished: FinishedStudy, workload: str, folder: Path, samples: int) -> None:
    """Write what Olive reads: calibration rows one by one, validation rows in batches, one batch to time."""
    calibration, validation = finished.split("calibration"), finished.split("validation")
    lengths = row_lengths(calibration, finished.signature)
    longest = finished.study.workloads[workload].get(SEQUENCE_AXIS) or int(lengths[:samples].max())
    store(folder / "calibration.npz", finished, calibration, np.arange(min(samples, len(calibration))), 1, longest)
    by_length = np.argsort(row_lengths(validation, finished.signature), kind="stable")
    store(folder / "validation.npz", finished, validation, by_length, finished.study.measurement.accuracy_batch_size)
    batches = sorted(finished.inputs(validation, workload).batches, key=lambda batch: batch["input_ids"].size)
    timed = batches[len(batches) // 2]
    labels = np.zeros(len(timed["input_ids"]), np.int64)
    np.savez(folder / "latency.npz", **{f"0/{name}": values for name, values in (timed | {"labels": labels}).items()})


def store(
    path: Path, finished: FinishedStudy, split: Split, rows: np.ndarray, batch_size: int, length: int | None = None
) -> None:
    """Write rows in batches, each padded to a length or to its longest row, with their labels."""
    arrays = {}
    for number, start in enumerate(range(0, len(rows), batch_size)):
        chosen = rows[start : start + batch_size]
        batch = collate(split, chosen, finished.signature, sequence_length=length)
        for name, values in (batch | {"labels": split.labels[chosen]}).items():
            arrays[f"{number}/{name}"] = values
    np.savez(path, **arrays)


if __name__ == "__main__":
    main()
