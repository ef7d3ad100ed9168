"""ONNX file and calibration rows in, calibration cache out; the method is a file of this folder."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from temper.artifacts.manifest import read_manifest, sha256, staged_folder, write_manifest
from temper.artifacts.onnx_file import MANIFEST, load, strip_provenance
from temper.artifacts.signature import read_signature
from temper.data.encoded import check_split, read_split
from temper.environment import plugins
from temper.environment.machine import versions
from temper.errors import ArtifactError
from temper.quantization.calibration.cache import CACHE_FILE, QUANTIZED_FILE, Collected
from temper.quantization.calibration.rows import Calls, choose

COST_LINE = "calibrating took {took_s:.2f} s: {digest}"


def calibrate(
    *,
    onnx_folder: str,
    data_folder: str,
    folder: str,
    row: Mapping[str, Any],
    options: Mapping[str, Any],
    seed: int,
) -> None:
    """Collect activation ranges over the first `samples` calibration rows, never padded.

    A row is a call of its own, or shares one with rows of its length where the method does not depend on the calls.

    Args:
        onnx_folder: the ONNX artifact whose tensors are calibrated.
        data_folder: prepared data with the calibration split.
        folder: where the cache goes: cache.json (ranges, what is suspicious in them, method, samples, digests) and
            quantized.onnx (what a library made along with the ranges; an empty file for methods that make none).
        row: `method`, `samples`, `rows`, `onnx`.
        options: of that method.
        seed: of rows with random or shuffled tokens and of digits.

    Raises:
        ArtifactError: an input is not what its manifest says, an activation or a range is not finite, or the model has
            nothing to quantise or is quantised already.
        DataError: there are too few calibration rows, or they are all the same.
    """
    source, data = Path(onnx_folder), Path(data_folder)
    read_manifest(source / MANIFEST, kind="onnx")
    check_split(data, "calibration")
    signature = read_signature(source / "signature.json")
    split = choose(
        read_split(data / "calibration.parquet", signature),
        signature,
        rows=row["rows"],
        samples=row["samples"],
        seed=seed,
        tokenizer=source / "tokenizer.json",
    )
    module = plugins.load("calibration", row["method"])
    calls = Calls(split, signature, together=module.ROWS_SHARE_CALLS)
    model, chosen = load(source), module.Options.model_validate(options)
    started = time.monotonic()
    collected: Collected = module.collect(model, calls, chosen)
    took_s = time.monotonic() - started
    wrong = sorted(name for name, ends in collected.ranges.items() if not np.isfinite(ends).all())
    if wrong:
        raise ArtifactError(
            asked=f"calibrate {source} by {row['method']}",
            happened=f"the range of {wrong[0]} is not finite",
            affected="this calibration cache; nothing was written",
            fix="check the checkpoint: its activations overflow",
        )
    with staged_folder(folder) as scratch:
        (scratch / QUANTIZED_FILE).touch()
        if collected.quantized is not None:
            strip_provenance(collected.quantized)
            onnx.save(collected.quantized, str(scratch / QUANTIZED_FILE))
        write_manifest(
            scratch / CACHE_FILE,
            kind="calibration",
            facts={
                "method": row["method"],
                "samples": row["samples"],
                "rows": row["rows"],
                "seed": seed,
                "calls": len(calls),
                "options": dict(options),
                "ranges": {name: list(ends) for name, ends in sorted(collected.ranges.items())},
                "suspicious": [asdict(suspicion) for suspicion in collected.suspicious],
                "holds_quantized_model": collected.quantized is not None,
                "versions": versions(*module.LIBRARIES),
            },
            inputs={
                "model.onnx": sha256(source / "model.onnx"),
                "calibration.parquet": sha256(data / "calibration.parquet"),
            },
        )
    print(f"{len(collected.ranges)} tensors calibrated on {row['samples']} samples by {row['method']}")
    # here and not in the cache, whose bytes repeat; the digest says of which cache it is (temper/report/costs.py)
    print(COST_LINE.format(took_s=took_s, digest=sha256(Path(folder) / CACHE_FILE)))
    for suspicion in collected.suspicious:
        print(f"suspicious: {suspicion.tensor}: {suspicion.what}: {suspicion.evidence}")
