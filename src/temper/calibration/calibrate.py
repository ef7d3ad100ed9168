"""ONNX file and calibration rows in, calibration cache out; the method is a file of this folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from temper import plugins
from temper.artifact import read_manifest, sha256, staged_folder, write_manifest
from temper.calibration.cache import CACHE_FILE, QUANTIZED_FILE, Collected
from temper.data.encoded import collate, read_split
from temper.errors import ArtifactError, DataError
from temper.onnx_file import MANIFEST, load, strip_provenance
from temper.provenance import versions
from temper.signature import Signature


def calibrate(
    *, onnx_folder: str, data_folder: str, folder: str, row: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    """Collect activation ranges over the first `samples` calibration rows, each row a call of its own, unpadded.

    Args:
        onnx_folder: the ONNX artifact whose tensors are calibrated.
        data_folder: prepared data; the calibration split was drawn by seed, so its first rows are a random sample.
        folder: where the cache goes: cache.json (ranges, method, samples, digests) and quantized.onnx (what a library
            made along with the ranges; an empty file for methods that make none).
        row: `method`, `samples`, `onnx`.
        options: of that method.

    Raises:
        ArtifactError: an input is not what its manifest says, or a range is not finite.
        DataError: there are fewer calibration rows than samples.
    """
    source, data = Path(onnx_folder), Path(data_folder)
    read_manifest(source / MANIFEST, kind="onnx")
    read_manifest(data / "data_card.json", kind="data", verify=["calibration.parquet"])
    signature = Signature.model_validate_json((source / "signature.json").read_text(encoding="utf-8"))
    split = read_split(data / "calibration.parquet", signature)
    if row["samples"] > len(split.labels):
        raise DataError(
            asked=f"calibrate on {row['samples']} samples",
            happened=f"the calibration split has {len(split.labels)} rows",
            spoiled="this calibration cache; nothing was written",
            fix="lower the row's samples or raise data.calibration_rows",
        )
    batches = [collate(split, np.asarray([n]), signature, sequence_length=None) for n in range(row["samples"])]
    module = plugins.load("calibration", row["method"])
    collected: Collected = module.collect(load(source), batches, module.Options.model_validate(options))
    wrong = sorted(name for name, ends in collected.ranges.items() if not np.isfinite(ends).all())
    if wrong or not collected.ranges:
        raise ArtifactError(
            asked=f"calibrate {source} by {row['method']}",
            happened=f"the range of {wrong[0]} is not finite" if wrong else "no tensor to calibrate was found",
            spoiled="this calibration cache; nothing was written",
            fix="check the checkpoint: its activations overflow" if wrong else "this model has no MatMul, Gemm or Conv",
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
                "options": dict(options),
                "ranges": {name: list(ends) for name, ends in sorted(collected.ranges.items())},
                "holds_quantized_model": collected.quantized is not None,
                "versions": versions(*module.LIBRARIES),
            },
            inputs={
                "model.onnx": sha256(source / "model.onnx"),
                "calibration.parquet": sha256(data / "calibration.parquet"),
            },
        )
    print(f"{len(collected.ranges)} tensors calibrated on {row['samples']} samples by {row['method']}")
