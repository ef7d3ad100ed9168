"""What the workflow itself costs on the embedded study: overhead, a second run, planning, memory, and the harness per call.

    make benchmark            (or: .venv/bin/python benchmarks/overhead.py --out figures.json)
    .venv/bin/python benchmarks/overhead.py --planning        # planning alone: nothing is run

Every figure is a ratio or a time taken in this one run on this machine; nothing here is a test. A job's own work is the
wall time of a fresh Python process that imports what the rule's function needs and calls it, as the rule does, without
Snakemake; it is taken from each job's log, in which `temper.logs.script_log` notes it.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
OWN_WORK = re.compile(r"^own work: ([0-9.]+) s$", re.MULTILINE)


CANDIDATES = (200, 800)  # bars: 5 and 12 s of processor time, 200 MB
LOADS = (("ort-cpu", "onnx/fp32"), ("ort-cpu", "onnx/int8"), ("openvino-cpu", "onnx/int8"), ("rtx", "engines/int8"))


def command(folder: Path, *arguments: str) -> list[str]:
    """`snakemake` in a folder."""
    where = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    return [sys.executable, "-m", "snakemake", *where, "--cores", "1", *arguments]


def planning(params: Path) -> list[dict[str, float]]:
    """Processor time and memory of a dry run of the study with many candidates, none of which has been measured."""
    found = []
    for many in CANDIDATES:
        study = yaml.safe_load(params.read_text(encoding="utf-8"))
        rows = study["candidates"]
        for number in range(len(rows), many):
            backend, loads = LOADS[number % len(LOADS)]
            rows[f"c{number:03}"] = {"backend": backend, "loads": loads}
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "params.yaml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
            process = subprocess.Popen(command(Path(folder), "--dry-run"), stdout=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            if status != 0:
                sys.exit(f"a plan of {many} candidates failed")
        cpu_s = round(used.ru_utime + used.ru_stime, 2)
        found.append({"candidates": many, "cpu_s": cpu_s, "peak_mb": round(used.ru_maxrss * 1024 / 1e6)})
    return found


def run(folder: Path, *arguments: str) -> float:
    """Wall time in seconds of one `snakemake` command in the folder; ends this script where the command fails."""
    start = time.perf_counter()
    done = subprocess.run(command(folder, *arguments), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml")
    parser.add_argument("--planning", action="store_true", help="planning alone")
    parser.add_argument("--out", type=Path, help="write the figures there as JSON")
    arguments = parser.parse_args()
    if arguments.planning:
        print(json.dumps(planning(arguments.params), indent=2))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copy(arguments.params, folder / "params.yaml")
        cold_s = run(folder)
        peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        own_work = {
            log.relative_to(folder / "logs").with_suffix("").as_posix(): float(OWN_WORK.findall(log.read_text())[-1])
            for log in sorted((folder / "logs").rglob("*.log"))
        }
        second_s = run(folder)
        plan_s = run(folder, "--dry-run")
        records = [json.loads(path.read_text()) for path in (folder / "artifacts/measurements").glob("*.json")]
    harness = [
        {"workload": name, "mean_us": 1e3 * workload["latency_mean_ms"], "runs": workload["timed_runs"]}
        for record in records
        if record["backend"]["runner"] == "null"
        for name, workload in record["workloads"].items()
    ]
    figures = {
        "cold_s": round(cold_s, 1),
        "own_work_s": round(sum(own_work.values()), 1),
        "overhead_ratio": round(cold_s / sum(own_work.values()), 3),
        "second_run_s": round(second_s, 2),
        "dry_run_s": round(plan_s, 2),
        "planning": planning(arguments.params),
        "peak_rss_of_a_process_mib": round(peak_mib),
        "harness": harness,
        "own_work_by_job_s": own_work,
    }
    print(json.dumps(figures, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
