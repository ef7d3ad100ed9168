"""A study's OpenVINO candidates against optimum-intel's OVQuantizer INT8, both in turns with the study's baseline, in one run.

    .venv/bin/python benchmarks/optimum_intel.py --study studies/sst2-minilm-full --candidates openvino-int8-fast \\
        --python PYTHON_WITH_OPTIMUM_INTEL --samples 300 --out figures.json

The peer quantises the same checkpoint on the study's first calibration texts, in an environment of its own
(`pip install "optimum-intel[openvino]" datasets`), as its documentation shows. Its model is then compiled by the OpenVINO of this
environment, as optimum-intel compiles it (dynamic shapes, latency hint), with the FP32 hint and with OpenVINO's own default.
Accuracy is of all test rows in batches of 8. Every figure is taken in this one run on this machine; nothing here is a test.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from temper.artifacts.signature import Signature
from temper.backends.opening import open_artifact
from temper.backends.runner import Runner
from temper.data.encoded import read_split
from temper.measurement.accuracy import predict
from temper.measurement.alternation import Stopping, time_in_turns
from temper.measurement.timed_inputs import timed_inputs
from temper.statistics.paired_labels import flips
from temper.study.params_file import load_params
from temper.study.study import read_study

QUANTISE = """
import sys
from datasets import Dataset
from optimum.intel import OVConfig, OVModelForSequenceClassification, OVQuantizationConfig, OVQuantizer
from transformers import AutoTokenizer
checkpoint, texts, longest, out = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
encode = lambda row: tokenizer(row["text"], truncation=True, max_length=longest)
rows = Dataset.from_json(texts).map(encode, remove_columns=["text"])
quantizer = OVQuantizer.from_pretrained(OVModelForSequenceClassification.from_pretrained(checkpoint, export=True))
config = OVConfig(quantization_config=OVQuantizationConfig(bits=8, num_samples=len(rows)))
quantizer.quantize(ov_config=config, calibration_dataset=rows, save_directory=out)
"""


class Peer(Runner):
    """optimum-intel's model, compiled by OpenVINO."""

    def __init__(self, folder: Path, threads: int, precision: str | None) -> None:
        import openvino

        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        if precision is not None:
            settings["INFERENCE_PRECISION_HINT"] = precision
        compiled = openvino.Core().compile_model(str(folder / "openvino_model.xml"), "CPU", settings)
        self._request = compiled.create_infer_request()
        self._inputs = {name for port in compiled.inputs for name in port.get_names()}

    def infer(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        found = self._request.infer({name: inputs[name] for name in inputs if name in self._inputs}, share_inputs=True)
        return np.array(found["logits"], np.float32)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def describe(self) -> dict[str, object]:
        return {"library": "openvino"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True, help="folder of a finished study")
    parser.add_argument("--candidates", nargs="+", required=True)
    parser.add_argument("--python", type=Path, required=True, help="an interpreter that has optimum-intel")
    parser.add_argument("--samples", type=int, required=True, help="calibration texts of the peer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0, help="at most, of each pair and workload")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    out = arguments.out.absolute() if arguments.out else None
    python = arguments.python.absolute()
    os.chdir(arguments.study)
    study = read_study(load_params("params.yaml"))
    signature = Signature.model_validate_json(Path("data/prepared/signature.json").read_text(encoding="utf-8"))
    test = read_split("data/prepared/test.parquet", signature)
    with tempfile.TemporaryDirectory() as scratch:
        texts = read_split("data/prepared/calibration.parquet", signature).texts[: arguments.samples]
        rows = [text if isinstance(text, str) else text[0] for text in texts]
        Path(scratch, "texts.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
        began = time.monotonic()
        command = [python, "-c", QUANTISE, "artifacts/checkpoint", f"{scratch}/texts.jsonl"]
        command += [str(study.data["max_tokens"]), f"{scratch}/int8"]
        path = f"{python.parent}:{os.environ['PATH']}"
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PATH": path})
        taken_s = round(time.monotonic() - began, 1)
        figures = measure(study, signature, test, Path(scratch, "int8"), arguments)
        figures["peer_quantising_s"] = taken_s
    if out:
        out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(study, signature, test, peer: Path, arguments) -> dict[str, object]:
    """Ratios, medians, accuracy and flips of the candidates and of the peer."""
    settings = study.measurement
    stopping = Stopping(
        settings.min_calls, settings.max_calls, settings.min_duration_s, arguments.seconds, settings.relative_half_width
    )

    def opened(row):
        backend = study.backends[row.backend]
        return open_artifact(backend.runner, f"artifacts/{row.loads}", backend.options, "installed")

    sides = {name: opened(study.candidates[name]) for name in arguments.candidates}
    sides |= {
        "optimum-intel INT8, f32": Peer(peer, arguments.threads, "f32"),
        "optimum-intel INT8, OpenVINO's default precision": Peer(peer, arguments.threads, None),
    }
    figures: dict[str, object] = {
        "study": study.study,
        "samples": arguments.samples,
        "threads": arguments.threads,
        "sides": {},
    }
    with opened(study.baseline) as baseline:
        expected = predict(baseline, test, signature, batch_size=settings.accuracy_batch_size)
        for name, side in sides.items():
            if name in arguments.candidates:
                side.__enter__()
            found = predict(side, test, signature, batch_size=settings.accuracy_batch_size)
            counted = flips(found.labels, expected.labels, test.labels)
            own: dict[str, object] = {
                "accuracy": float((found.labels == test.labels).mean()),
                "flips": counted.differing,
            }
            for workload, sizes in study.workloads.items():
                inputs = timed_inputs(
                    test, signature, sizes, distinct_batches=settings.distinct_batches, seed=study.seed
                )
                turns = time_in_turns(
                    side, baseline, inputs.batches, statistic="median", warmup_runs=settings.warmup_runs,
                    calls_per_turn=settings.calls_per_turn, stopping=stopping, resamples=settings.resamples,
                    seed=study.seed, clock_ns=time.perf_counter_ns,
                )  # fmt: skip
                own[workload] = {
                    "median_ms": float(np.median(turns.candidate_ns) / 1e6),
                    "baseline_median_ms": float(np.median(turns.baseline_ns) / 1e6),
                    "ratio": [turns.ratio.ratio, turns.ratio.low, turns.ratio.high],
                    "faster": 1 / turns.ratio.ratio,
                    "calls": int(turns.candidate_ns.size),
                }
            figures["sides"][name] = own
            print(name, json.dumps(own), flush=True)
            if name in arguments.candidates:
                side.__exit__(None, None, None)
    return figures


if __name__ == "__main__":
    main()
