"""How much longer a run waits for a quiet machine: its measurements share one allowance."""

import json
import os
from pathlib import Path

from temper.artifacts.manifest import canonical_json, write_text

RUN = "TEMPER_RUN"  # names the run of Snakemake that a job belongs to; temper/orchestration/run_lock.py sets it
NOTE = Path(".snakemake/temper/waited.json")


def _waited_s(run: str | None) -> float:
    try:
        note = json.loads(NOTE.read_text(encoding="utf-8"))
        return float(note["waited_s"]) if run is not None and note["run"] == run else 0.0
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def wait_left_s(quiet_wait_s: float) -> float:
    """Seconds of the allowance that this run's measurements have not waited yet.

    Args:
        quiet_wait_s: of the section `measurement:`.
    """
    return max(0.0, quiet_wait_s - _waited_s(os.environ.get(RUN)))


def note_waited(waited_s: float) -> None:
    """Note that a measurement of this run has waited so long. Nothing is noted where no run is known."""
    run = os.environ.get(RUN)
    if run is not None and waited_s:
        write_text(NOTE, canonical_json({"run": run, "waited_s": round(_waited_s(run) + waited_s, 2)}))
