"""What would run and why, in words, from Snakemake's dry run.

Snakemake's own text is the only place where it says why; the pinned version and tests/workflow/test_plan.py hold its form.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# every rule's message is its name and, where it has one, its row
_JOB = re.compile(r"^Job \d+: (?P<rule>\w+)(?: (?P<row>\S+))?\nReason: (?P<reason>.*)$", re.MULTILINE)
_EXCLUSIVE = re.compile(r"before: (?P<before>.*?) ?now: (?P<now>.*)", re.DOTALL)
_DIGEST = re.compile(r"^[0-9a-f]{16}$")


@dataclass(frozen=True)
class PlannedJob:
    """One job that would run: its rule, the row it is for ('' where there is one only) and the reasons."""

    rule: str
    row: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.rule}{f' {self.row}' if self.row else ''}: {'; '.join(self.reasons)}"


def _values(text: str) -> list[Any]:
    """Python values from Snakemake's comma-separated reprs; the text itself where it is none."""
    text = text.strip()
    if not text or text.startswith("<nothing"):
        return []
    try:
        return list(ast.literal_eval(f"({text},)"))
    except (ValueError, SyntaxError):
        return [text]


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for key, inner in value.items():
            found |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
        return found
    return {prefix: value}


def _paired(
    before: list[Mapping[str, Any]], now: list[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Old and new form of each section; Snakemake gives them in no order, so the most keys in common decide."""
    left, pairs = list(now), []
    for old in sorted(before, key=lambda row: -max((len(row.keys() & new.keys()) for new in now), default=0)):
        new = max(left, key=lambda row: len(old.keys() & row.keys()), default={})
        left = [row for row in left if row is not new]
        pairs.append((old, new))
    return pairs + [({}, new) for new in left]


def _shown(flat: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in flat.items()) or "none"


def changed_params(text: str) -> list[str]:
    """The settings that changed, in words, from the 'before: … now: …' of a dry run."""
    match = _EXCLUSIVE.search(text)
    if match is None:
        return ["its settings changed"]
    before, now = _values(match["before"]), _values(match["now"])
    reasons: list[str] = []

    def is_digest(value: Any) -> bool:
        return isinstance(value, str) and bool(_DIGEST.match(value))

    if any(map(is_digest, before)) and any(map(is_digest, now)):
        reasons.append("its code changed")
    before = [value for value in before if not is_digest(value)]
    now = [value for value in now if not is_digest(value)]
    old_rows, new_rows = ([value for value in side if isinstance(value, Mapping)] for side in (before, now))
    for old, new in _paired(old_rows, new_rows):
        flat_old, flat_new = _flat(old), _flat(new)
        if not flat_old.keys() & flat_new.keys():
            reasons.append(f"{_shown(flat_old)} → {_shown(flat_new)}")
            continue
        reasons += [
            f"{key}: {flat_old.get(key, 'absent')} → {flat_new.get(key, 'absent')}"
            for key in dict.fromkeys([*flat_old, *flat_new])
            if flat_old.get(key, "absent") != flat_new.get(key, "absent")
        ]
    plain_old, plain_new = ([value for value in side if not isinstance(value, Mapping)] for side in (before, now))
    if plain_old or plain_new:
        reasons.append(f"{', '.join(map(str, plain_old)) or 'absent'} → {', '.join(map(str, plain_new)) or 'absent'}")
    return reasons or ["its settings changed"]


def _reasons(text: str) -> tuple[str, ...]:
    found: list[str] = []
    params = text.partition("Params have changed since last execution: ")[2]
    for part in text.partition("Params have changed")[0].split("; "):
        key, _, files = part.partition(": ")
        names = sorted(files.split(", "))  # Snakemake's order differs from process to process
        shown = f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}"
        if key == "Missing output files":
            found.append(f"not there: {shown}")
        elif key == "Incomplete output files":
            found.append(f"left unfinished: {shown}")
        elif key == "Updated input files":
            found.append(f"changed: {shown}")
        elif key == "Input files updated by another job":
            found.append("follows " + ", ".join(sorted({name.rpartition("/")[0] or name for name in names})))
        elif key.startswith("Set of input files has changed"):
            found.append("reads other files than last time")
        elif key.strip():
            found.append(part.strip())
    if params:
        found += changed_params(params)
    return tuple(found)


def parse_dry_run(text: str) -> list[PlannedJob]:
    """The jobs of a dry run, in its order; the target rule `all` is none."""
    return [PlannedJob(job["rule"], job["row"] or "", _reasons(job["reason"])) for job in _JOB.finditer(text)]


def plan(arguments: list[str]) -> int:
    """Print what `snakemake` with these arguments would run; its own message and exit code where it refuses."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", "--quiet", "host", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{done.stdout.strip()}\n{done.stderr.strip()}".strip(), file=sys.stderr)
        return done.returncode
    jobs = parse_dry_run(done.stdout + done.stderr)
    if not jobs:
        print("Nothing to be done: every artifact is there and belongs to these settings.")
        return 0
    print(f"{len(jobs)} jobs would run:")
    for job in jobs:
        print(f"  {job}")
    return 0
