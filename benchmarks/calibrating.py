"""What calibrating costs: our methods and ONNX Runtime's own calibrators, against a plain forward pass over the same calls.

    .venv/bin/python benchmarks/calibrating.py --data studies/sst2-minilm/data/prepared \\
        --onnx studies/sst2-minilm/artifacts/onnx/fp32 --samples 500 --out figures.json

Every task runs in a process of its own, all in this one run on this machine; nothing here is a test. A method's own time is
that of its passes over the rows and of its search; `times_forward` is that of each pass against a forward pass over the same
calls, timed just before it. ONNX Runtime's calibrators are fed a row at a time, and stopped after --timeout-s.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

OURS: dict[str, dict[str, Any]] = {
    "minmax": {},
    "moving_average": {"constant": 0.01},
    "entropy": {"bins": 2048, "quantized_bins": 128},
    "percentile": {"bins": 2048, "percentile": 99.99},
}
PASSES = {"minmax": 1, "moving_average": 1, "entropy": 2, "percentile": 2}
THEIRS: dict[str, dict[str, Any]] = {
    "MinMax": {},
    "Entropy": {"num_bins": 128, "num_quantized_bins": 128},  # its defaults
    "Percentile": {"num_bins": 2048, "percentile": 99.99},
}


def calls_of(arguments: argparse.Namespace, together: bool) -> Any:
    from temper.artifacts.signature import Signature
    from temper.data.encoded import read_split
    from temper.quantization.calibration.rows import Calls, choose

    signature = Signature.model_validate_json((arguments.onnx / "signature.json").read_text(encoding="utf-8"))
    split = read_split(arguments.data / "calibration.parquet", signature)
    tokenizer = arguments.onnx / "tokenizer.json"
    split = choose(split, signature, rows="drawn", samples=arguments.samples, seed=0, tokenizer=tokenizer)
    return Calls(split, signature, together=together)


def forward(arguments: argparse.Namespace, together: bool) -> None:
    """The model as it is, its outputs thrown away."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(arguments.onnx / "model.onnx"), providers=["CPUExecutionProvider"])
    for call in calls_of(arguments, together):
        session.run(None, call)


def ours(arguments: argparse.Namespace, method: str) -> None:
    from temper.artifacts.onnx_file import load
    from temper.environment import plugins

    module = plugins.load("calibration", method)
    calls = calls_of(arguments, module.ROWS_SHARE_CALLS)
    module.collect(load(arguments.onnx), calls, module.Options.model_validate(OURS[method]))


def theirs(arguments: argparse.Namespace, method: str) -> None:
    import tempfile

    from onnxruntime.quantization import CalibrationMethod
    from onnxruntime.quantization.calibrate import create_calibrator

    from temper.artifacts.onnx_file import QUANTIZABLE

    class Reader:
        def __init__(self, call: Any) -> None:
            self._left = [call]

        def get_next(self) -> Any:
            return self._left.pop() if self._left else None

    with tempfile.TemporaryDirectory() as scratch:
        calibrator = create_calibrator(
            str(arguments.onnx / "model.onnx"),
            list(QUANTIZABLE),
            augmented_model_path=f"{scratch}/augmented.onnx",
            calibrate_method=CalibrationMethod[method],
            extra_options=THEIRS[method],
        )
        for call in calls_of(arguments, together=False):
            calibrator.collect_data(Reader(call))
        calibrator.compute_data()


def task(arguments: argparse.Namespace) -> None:
    """One task in this process; prints seconds and peak resident set as JSON."""
    kind, _, name = arguments.task.partition(" ")
    began = time.perf_counter()
    if kind == "forward":
        forward(arguments, together=name == "shared")
    else:
        {"ours": ours, "theirs": theirs}[kind](arguments, name)
    seconds = time.perf_counter() - began
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": round(seconds, 2), "peak_mib": round(peak_mib, 1)}))


def isolated(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--data", str(arguments.data), "--onnx", str(arguments.onnx)]
    command += ["--samples", str(arguments.samples), "--task", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=arguments.timeout_s)
    except subprocess.TimeoutExpired:
        return {"stopped_after_s": arguments.timeout_s}
    if done.returncode != 0:
        return {"failed": done.returncode, "last_said": done.stderr[-300:]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="prepared data of a study")
    parser.add_argument("--onnx", type=Path, required=True, help="folder of an ONNX file in floating point")
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--timeout-s", type=float, default=1800.0, help="of each task")
    parser.add_argument("--theirs", nargs="*", choices=list(THEIRS), default=list(THEIRS))
    parser.add_argument("--out", type=Path, help="write the figures there as JSON")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        task(arguments)
        return
    figures: dict[str, Any] = {"samples": arguments.samples, "tasks": {}}
    for name in [*(f"ours {name}" for name in OURS), *(f"theirs {name}" for name in arguments.theirs)]:
        kind, _, method = name.partition(" ")
        alone = kind == "theirs" or method == "moving_average"
        plain = isolated(arguments, "forward alone" if alone else "forward shared")
        found = {**isolated(arguments, name), "forward": plain}
        if "seconds" in found:
            passes = PASSES[method] if kind == "ours" else 1
            found["times_forward"] = round(found["seconds"] / plain["seconds"] / passes, 2)
        figures["tasks"][name] = found
        print(name, json.dumps(found), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
