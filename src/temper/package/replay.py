"""All test rows through a written package in a fresh process, held against the answers that the record has."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.data.encoded import Split
from temper.errors import ParityError
from temper.measurement.record import Accuracy
from temper.package.runtime_at import NOTHING_WRITTEN
from temper.tasks.task import task_of

WORKER = Path(__file__).with_name("replay_worker.py")
LOGIT_TOLERANCE = 1e-3  # absolute and relative: what an export may differ by; records hold six digits
_PATIENCE_S = 3600


def _refused(happened: str, fix: str) -> ParityError:
    return ParityError(
        asked="replay the test rows through the packaged runtime, as they were measured",
        happened=happened,
        affected=NOTHING_WRITTEN,
        fix=fix,
    )


def _texts(split: Split, texts_per_row: int) -> list[str | list[str]]:
    """The rows' texts; those of a pair stand in the split with a tab between them.

    Raises:
        ParityError: a text of a pair holds a tab itself.
    """
    if texts_per_row == 1:
        return list(split.texts)
    pairs = [text.split("\t") for text in split.texts]
    broken = next((number for number, pair in enumerate(pairs) if len(pair) != texts_per_row), None)
    if broken is not None:
        raise _refused(f"the texts of test row {broken + 1} hold tabs: which is which is not known", "remove the tabs")
    return [*pairs]


def _run(folder: Path, request: Path, answers: Path) -> Mapping[str, npt.NDArray[Any]]:
    # isolated: no PYTHONPATH, no user's packages, no folder of the script; and no bytecode left in the package
    command = [sys.executable, "-I", "-B", str(WORKER), str(folder), str(request), str(answers)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise _refused(" ".join(" ".join(said[-6:]).split())[:600], "what the process said above names it")
    with np.load(answers) as found:
        return {name: found[name] for name in found.files}


def replay(folder: Path, split: Split, accuracy: Accuracy, *, texts_per_row: int) -> dict[str, Any]:
    """Replay.

    Args:
        folder: of the package, with its manifest.
        split: the test rows, encoded as they were measured.
        accuracy: of the record.
        texts_per_row: 1, or 2 for pairs; 0 for images, whose pixels are replayed.

    Returns:
        What the manifest says of it: rows, labels_differing (0), largest_logit_difference, tolerance.

    Raises:
        ParityError: a row is tokenised otherwise, a label or a logit differs, or the package does not run by itself.
    """
    wanted = accuracy.answers
    with tempfile.TemporaryDirectory(prefix="temper-replay.") as scratch:
        request = Path(scratch)
        texts = _texts(split, texts_per_row) if texts_per_row else None
        asked = {"texts": texts, "batch_size": wanted.batch_size}
        (request / "request.json").write_text(json.dumps(asked), encoding="utf-8")
        if texts is None:
            np.savez(request / "rows.npz", values=np.asarray(next(iter(split.inputs.values()))))
        found = _run(folder, request, request / "answers.npz")
    if texts is not None:
        _check_tokens(split, found)
    logits, recorded = found["logits"], np.asarray(wanted.logits)
    task = task_of(accuracy.task)
    given = [task.named(each, accuracy.label_names) for each in wanted.predictions]
    # of what is no label the logits themselves are held against the record's
    other = np.flatnonzero(found["labels"] != np.asarray(given)) if task.COUNTED else np.zeros(0, np.int64)
    away = np.abs(logits - recorded)
    largest = float(away.max())
    remade = "the study was measured on another machine, or with another version: finish it here, and package it then"
    if len(other):
        raise _refused(f"{len(other)} of {len(logits):,} labels differ, the first in row {other[0] + 1}", remade)
    if (away > LOGIT_TOLERANCE * np.maximum(1.0, np.abs(recorded))).any():
        raise _refused(f"a logit differs by {largest:.2g}, where {LOGIT_TOLERANCE:g} may be", remade)
    return {
        "rows": len(logits),
        "labels_differing": 0,
        "largest_logit_difference": largest,
        "tolerance": LOGIT_TOLERANCE,
    }


def _check_tokens(split: Split, found: Mapping[str, npt.NDArray[Any]]) -> None:
    ends = np.cumsum(found["lengths"])
    for name, rows in split.inputs.items():
        own = np.split(found[f"row_{name}"], ends[:-1])
        for number, (mine, theirs) in enumerate(zip(own, rows, strict=True)):
            if not np.array_equal(mine, theirs):
                raise _refused(
                    f"test row {number + 1} has other {name} than when it was measured",
                    "this tokenizer does more than the tokenizers library does by itself: temper predict answers with it",
                )
