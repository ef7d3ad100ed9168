"""What measuring costs, on a study that is finished: timed calls with the stopping rule against a fixed number, and the
memory of a measurement against that of its backend alone.

    .venv/bin/python benchmarks/measuring.py --study studies/sst2-minilm --workload b1-s128 --out figures.json

Every figure is taken in this one run on this machine; nothing here is a test.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from temper.measurement.isolated import run_isolated
from temper.statistics.ratio import Ratio, verdict
from temper.study.params_file import load_params
from temper.study.study import read_study

FIXED_CALLS = 1000
# the library, the model and the same number of calls: no harness. Prints the peak resident set in MiB.
BARE = {
    "onnxruntime": """
import numpy as np, onnxruntime as ort
options = ort.SessionOptions(); options.intra_op_num_threads = 2
session = ort.InferenceSession(artifact + "/model.onnx", options, providers=["CPUExecutionProvider"])
call = lambda: session.run(["logits"], inputs)
""",
    "openvino": """
import numpy as np, openvino as ov
compiled = ov.Core().compile_model(artifact + "/model.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "1"})
call = lambda: compiled(inputs)
""",
    "pytorch": """
import numpy as np, torch
from transformers import AutoModelForSequenceClassification
model = AutoModelForSequenceClassification.from_pretrained(artifact, dtype=torch.float32).eval()
def call():
    with torch.inference_mode():
        return model(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits.numpy()
""",
}
RUN = """
import sys
artifact, batch, length, names = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].split(",")
import numpy as np
inputs = {name: np.ones((batch, length), np.int64) for name in names}
%s
for _ in range(30):
    call()
status = open("/proc/self/status").read()
print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True, help="folder of a finished study")
    parser.add_argument("--workload", required=True)
    parser.add_argument("--candidates", nargs="*", help="default: all that need no GPU and are not on the null backend")
    parser.add_argument("--out", type=Path, help="write the figures there as JSON")
    arguments = parser.parse_args()
    os.chdir(arguments.study)
    study = read_study(load_params("params.yaml"))
    measurement = study.measurement.model_dump(mode="json")

    def side(row: object) -> dict[str, object]:
        backend = study.backends[row.backend]
        version = backend.version
        return {
            "runner": backend.runner,
            "artifact": f"artifacts/{row.loads}",
            "options": backend.options,
            "version": version,
        }

    names = arguments.candidates or [
        name
        for name, row in study.candidates.items()
        if study.backends[row.backend].gpus == 0
        and study.backends[row.backend].runner != "null"
        and arguments.workload in row.workloads
    ]
    request = {
        "data_folder": "data/prepared",
        "workloads": {arguments.workload: study.workloads[arguments.workload]},
        "seed": study.seed,
        "gpus": 0,
        "batch_sizes": [],
        "baseline": side(study.baseline),
    }
    rules = {
        "until precise": measurement | {"max_calls": 100_000, "max_duration_s": 600.0},
        f"{FIXED_CALLS} calls": measurement
        | {"min_calls": FIXED_CALLS, "max_calls": FIXED_CALLS, "max_duration_s": 600.0, "relative_half_width": 1e-9},
    }
    figures: dict[str, object] = {"study": study.study, "workload": arguments.workload, "candidates": {}}
    for name in names:
        own: dict[str, object] = {}
        for rule, settings in rules.items():
            began = time.monotonic()
            answer = run_isolated(
                {**request, "task": "together", "candidate": side(study.candidates[name]), "measurement": settings}
            )
            found = answer["workloads"][arguments.workload]
            timed_ns = sum(map(sum, found["latencies_ns"])) + sum(map(sum, found["baseline_latencies_ns"]))
            ratio = Ratio(**found["ratio"])
            own[rule] = {
                "calls_of_each_side": sum(map(len, found["latencies_ns"])),
                "timed_s": round(timed_ns / 1e9, 2),
                "wall_s": round(time.monotonic() - began, 2),
                **found["ratio"],
                "relative_half_width": ratio.relative_half_width,
                "verdict": verdict(ratio, study.analysis.latency_margin),
                "stopped": found["stopped"],
            }
        own["memory"] = memory(side(study.candidates[name]), request, measurement)
        figures["candidates"][name] = own
        print(name, json.dumps(own), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def memory(side: dict[str, object], request: dict[str, object], measurement: dict[str, object]) -> dict[str, float]:
    """Peak resident set, MiB: of the measurement's process, and of a program with nothing but the library and the model."""
    quick = measurement | {"alone_calls": 30, "throughput_callers": [1], "throughput_duration_s": 0.01}
    alone = run_isolated({**request, "task": "alone", "candidate": side, "measurement": quick})["memory"]
    signature = json.loads(Path(str(side["artifact"]), "signature.json").read_text(encoding="utf-8"))
    sizes = next(iter(request["workloads"].values()))
    program = RUN % BARE[str(side["runner"])]
    command = [
        sys.executable,
        "-c",
        program,
        str(side["artifact"]),
        str(sizes["batch_size"]),
        str(sizes["sequence_length"]),
    ]
    command.append(",".join(spec["name"] for spec in signature["inputs"]))
    bare = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    return {
        "measurement_mib": alone["peak_rss_running_mib"],
        "backend_alone_mib": round(bare, 1),
        "more_mib": round(alone["peak_rss_running_mib"] - bare, 1),
    }


if __name__ == "__main__":
    main()
