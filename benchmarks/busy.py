"""What a busy machine does to a study's verdicts: the embedded study beside processes that start and stop at seeded moments.

    .venv/bin/python benchmarks/busy.py --made FOLDER --level 0 1 2 4 --runs 10 --out runs.json
    .venv/bin/python benchmarks/busy.py --table runs.json …

Everything but the measurements is made once, in FOLDER (made anew where it is not there). Each run measures all candidates
anew, as `snakemake` does after their records were removed, beside so many processes that compute without a pause for 2 to 55 s
and rest for as long, at moments drawn by seed (--once: compute once and are gone). A run beside none is the reference. --cores
holds a run, its busy processes included, to some processors: on a machine with many, several can go on at a time.

The table counts, over the cells (candidate × workload) of a level's runs: verdicts that are wrong (win where the quiet runs
said loss, or the reverse), choices outside of what the quiet runs could not tell apart, cells that were not measured, cells that
were taken and do not hold, and the time.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHORTEST_S, LONGEST_S = 2.0, 55.0
LEFT_OUT = ("harness",)  # the null backend: no candidate of anyone's

BURNER = """
import random, sys, time
draws, once = random.Random(int(sys.argv[1])), sys.argv[2] == "once"
time.sleep(draws.uniform(0, {longest} - {shortest}))
while True:
    end = time.monotonic() + draws.uniform({shortest}, {longest})
    while time.monotonic() < end:
        sum(range(1000))
    if once:
        break
    time.sleep(draws.uniform({shortest}, {longest}))
"""


@contextlib.contextmanager
def busy_processes(count: int, seed: int, *, once: bool) -> Iterator[None]:
    """So many processes that compute and rest, or compute once, each by its own seed; ended at the end."""
    code = BURNER.format(shortest=SHORTEST_S, longest=LONGEST_S)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(1000 * seed + number), "once" if once else "by turns"],
            start_new_session=True,
        )
        for number in range(count)
    ]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def snakemake(folder: Path, *arguments: str) -> None:
    """One `snakemake` command in the folder; ends this script where the command fails."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    # runs side by side have processors of their own: each holds a lock of its own
    done = subprocess.run(
        [*command, "--cores", "1", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TEMPER_LOCK_FOLDER": str(folder)},
    )
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)


def one_run(made: Path, level: int, seed: int, *, once: bool) -> dict[str, Any]:
    """Measure every candidate anew beside so many busy processes; verdicts, choices and the time."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "study"
        shutil.copytree(made, folder)  # with the times of its files: nothing but the measurements is stale
        for path in (folder / "artifacts/measurements", folder / "artifacts/jobs/measure"):
            shutil.rmtree(path)
        with busy_processes(level, seed, once=once):
            began = time.monotonic()
            snakemake(folder)
            took_s = time.monotonic() - began
        comparison = json.loads((folder / "artifacts/report/comparison.json").read_text(encoding="utf-8"))
        decision = json.loads((folder / "artifacts/report/decision.json").read_text(encoding="utf-8"))
        again = json.loads((folder / "artifacts/remeasurements.json").read_text(encoding="utf-8"))
        records = [json.loads(path.read_text()) for path in sorted((folder / "artifacts/measurements").glob("*.json"))]
    return {
        "level": level,
        "once": once,
        "seed": seed,
        "seconds": round(took_s, 1),
        "cells": {
            f"{name}, {workload}": {
                "status": timed["status"],
                "verdict": timed.get("verdict"),
                "ratio": timed.get("ratio"),
                "holds": timed["holds"],
                "why_not": timed.get("why_not"),
            }
            for name, compared in comparison["candidates"].items()
            for workload, timed in compared["workloads"].items()
            if name not in LEFT_OUT and "no NVIDIA GPU" not in timed.get("reason", "")
        },
        "choices": {
            workload: {key: own.get(key, []) for key in ("chosen", "provisional", "not_told_apart", "left_open")}
            for workload, own in decision["workloads"].items()
        },
        "taken_once_more": sum(map(len, again["cells"].values())),
        "dropped_turns": sum(
            (workload.get("contention") or {}).get("dropped_turns", 0)
            for record in records
            for workload in record["workloads"].values()
        ),
    }


def make(folder: Path) -> None:
    """The study with all its artifacts, once."""
    if not (folder / "artifacts/report/comparison.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
        snakemake(folder)


def _share(count: int, of: int) -> str:
    return f"{count} ({100 * count / of:.0f} %)" if of else "–"


def _is_firm(run: dict[str, Any], workload: str) -> bool:
    """Whether a choice leaves nothing open. Runs of before `left_open` existed leave open whatever does not hold."""
    own = run["choices"][workload]
    without = [cell for cell, found in run["cells"].items() if cell.endswith(f", {workload}") and not found["holds"]]
    return not own["provisional"] and not own.get("left_open", without)


def _beside(run: dict[str, Any]) -> tuple[int, bool]:
    """How many busy processes ran beside it, and whether each computed only once; runs of before that was noted did not."""
    return run["level"], bool(run["level"] and run.get("once"))


def table(files: list[Path]) -> str:
    """The runs of all files as a Markdown table, a line for each level."""
    runs = [run for file in files for run in json.loads(file.read_text(encoding="utf-8"))]
    quiet = [run for run in runs if run["level"] == 0]
    said: dict[str, set[str]] = {}
    equals: dict[str, set[str]] = {}
    for run in quiet:
        for cell, own in run["cells"].items():
            said.setdefault(cell, set()).add(own["verdict"])
        for workload, own in run["choices"].items():
            equals.setdefault(workload, set()).update([own["chosen"], *own["not_told_apart"]])
    opposite = {"win": "loss", "loss": "win"}
    lines = []
    for level, once in sorted({_beside(run) for run in runs}):
        own = [run for run in runs if _beside(run) == (level, once)]
        cells = [(cell, found) for run in own for cell, found in run["cells"].items()]
        made = [(run, name) for run in own for name, each in run["choices"].items() if each["chosen"] is not None]
        firm = [(name, run["choices"][name]) for run, name in made if _is_firm(run, name)]
        seconds = sorted(run["seconds"] for run in own)
        lines.append(
            {
                "busy processes": f"{level}, once" if once else level,
                "runs": len(own),
                "cells": len(cells),
                "wrong verdicts": sum(opposite.get(each["verdict"]) in said.get(cell, ()) for cell, each in cells),
                "firm choices": f"{len(firm)} of {sum(len(run['choices']) for run in own)}",
                "of them outside the quiet runs'": sum(
                    each["chosen"] not in equals.get(name, ()) for name, each in firm
                ),
                "provisional": len(made) - len(firm),
                "cells not measured": _share(sum(each["status"] != "measured" for _, each in cells), len(cells)),
                "disturbed": _share(sum(each["verdict"] == "disturbed" for _, each in cells), len(cells)),
                "hold": _share(sum(each["holds"] for _, each in cells), len(cells)),
                "turns dropped": sum(run["dropped_turns"] for run in own),
                "cells taken once more": sum(run["taken_once_more"] for run in own),
                "s, median (least–most)": f"{seconds[len(seconds) // 2]:.0f} ({seconds[0]:.0f}–{seconds[-1]:.0f})",
            }
        )
    header = list(lines[0])
    rows = [header, ["---:"] * len(header), *([str(line[name]) for name in header] for line in lines)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--made", type=Path, help="the study's folder; made where it is not there")
    parser.add_argument("--level", type=int, nargs="+", default=[0, 1, 2, 4], help="busy processes beside each run")
    parser.add_argument("--runs", type=int, default=10, help="of each level")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--once", action="store_true", help="each busy process computes once, for at most a minute")
    parser.add_argument("--cores", help="the processors that all of it is held to, as in '0,1' (default: all)")
    parser.add_argument("--out", type=Path, help="the runs as JSON; written after each")
    parser.add_argument("--table", type=Path, nargs="+", help="print the table of these files, and run nothing")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(arguments.table))
        return
    if arguments.cores:
        os.sched_setaffinity(0, {int(core) for core in arguments.cores.split(",")})
    if not arguments.made or not arguments.out:
        parser.error("--made and --out are needed")
    make(arguments.made)
    found: list[dict[str, Any]] = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.runs):
        for level in arguments.level:  # by turns: a machine that changes changes for all levels
            found.append(one_run(arguments.made, level, seed, once=arguments.once))
            arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            held = sum(cell["holds"] for cell in found[-1]["cells"].values())
            print(
                f"level {level}, seed {seed}: {found[-1]['seconds']} s, {held} of {len(found[-1]['cells'])} hold",
                flush=True,
            )


if __name__ == "__main__":
    main()
