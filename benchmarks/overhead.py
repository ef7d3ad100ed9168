"""What the workflow itself costs on the embedded study: overhead, a second run, memory, and the harness per call.

    make benchmark            (or: .venv/bin/python benchmarks/overhead.py --keep folder)

Every figure is a ratio or a time taken in this one run on this machine; nothing here is a test. A job's own work is the
wall time of a fresh Python process that imports what the rule's function needs and calls it, as the rule does, without
Snakemake; it is taken from each job's log, in which `temper.logs.script_log` notes it.
"""

import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OWN_WORK = re.compile(r"^own work: ([0-9.]+) s$", re.MULTILINE)


def run(folder: Path, *arguments: str) -> float:
    """Wall time in seconds of one `snakemake` command in the folder; ends this script where the command fails."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    start = time.perf_counter()
    done = subprocess.run([*command, "--cores", "1", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml")
    parser.add_argument("--out", type=Path, help="write the figures there as JSON")
    arguments = parser.parse_args()
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
        "peak_rss_of_a_process_mib": round(peak_mib),
        "harness": harness,
        "own_work_by_job_s": own_work,
    }
    print(json.dumps(figures, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
