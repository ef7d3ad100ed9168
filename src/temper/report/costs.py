"""Seconds that calibrations took, from their jobs' logs: a cache's bytes repeat, and a clock would change them."""

import re
from pathlib import Path

from temper.artifacts.manifest import sha256

LOGS, CACHES = Path("logs/calibrate"), Path("artifacts/calibration")
_TOOK = re.compile(r"^calibrating took (?P<took_s>\d+\.\d+) s: (?P<digest>[0-9a-f]{64})$", re.MULTILINE)


def calibration_seconds() -> dict[str, float]:
    """Seconds of the passes over the rows and of what the method finds in them, by calibration of the study in this folder.

    A calibration whose log is not there, or tells of another cache than the one on disk (which DVC may have restored), is
    left out.
    """
    found = {}
    for log in sorted(LOGS.glob("*.log")):
        cache, said = CACHES / log.stem / "cache.json", _TOOK.findall(log.read_text(encoding="utf-8", errors="replace"))
        if said and cache.is_file() and said[-1][1] == sha256(cache):
            found[log.stem] = float(said[-1][0])
    return found
