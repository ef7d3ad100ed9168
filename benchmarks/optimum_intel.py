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
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from peers import FinishedStudy, measure

from temper.backends.runner import Runner

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
    finished = FinishedStudy()
    with tempfile.TemporaryDirectory() as scratch:
        texts = finished.split("calibration").texts[: arguments.samples]
        rows = [text if isinstance(text, str) else text[0] for text in texts]
        Path(scratch, "texts.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
        began = time.monotonic()
        command = [python, "-c", QUANTISE, "artifacts/checkpoint", f"{scratch}/texts.jsonl"]
        command += [str(finished.study.data["max_tokens"]), f"{scratch}/int8"]
        path = f"{python.parent}:{os.environ['PATH']}"
        done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "PATH": path})
        if done.returncode != 0:
            asked = f"quantise {arguments.study}/artifacts/checkpoint by optimum-intel"
            sys.exit(f"{asked}: it failed, and no figure was taken. It said:\n{done.stderr[-2000:]}")
        taken_s = round(time.monotonic() - began, 1)
        peers: dict[str, Runner] = {
            "optimum-intel INT8, f32": Peer(Path(scratch, "int8"), arguments.threads, "f32"),
            "optimum-intel INT8, OpenVINO's default precision": Peer(Path(scratch, "int8"), arguments.threads, None),
        }
        figures = {
            "study": finished.study.study,
            "samples": arguments.samples,
            "threads": arguments.threads,
            "peer_quantising_s": taken_s,
            **measure(finished, arguments.candidates, peers, arguments.seconds),
        }
    if out:
        out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
