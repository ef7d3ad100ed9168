"""The fresh process that replays test rows through a written package. It stands alone: nothing of temper is imported."""

import json
import sys
from pathlib import Path

FOREIGN = ("temper", "torch", "transformers", "pydantic", "snakemake", "dvc", "onnx")
OWN = {"pytorch": ("torch", "transformers", "pydantic")}  # what a runner brings


def main(folder: str, request: str, answers: str) -> None:
    """Answer the request's rows with the package in `folder`.

    Args:
        folder: of the package.
        request: a folder with request.json (batch_size; texts or null) and, for images, rows.npz with an array `values`.
        answers: the .npz file that is written: logits [rows, labels] float32, the answers as
            texts in `labels` [rows], and `lengths` int64 [rows].

    Raises:
        RuntimeError: the package imported what it may not need.
    """
    sys.path.insert(0, folder)
    import numpy as np
    from package_runtime import load

    asked = json.loads(Path(request, "request.json").read_text(encoding="utf-8"))
    with load(folder) as model:
        if asked["texts"] is not None:
            encoded = model.encode(asked["texts"])
            values, lengths = encoded.values, encoded.lengths
        else:
            pixels = np.load(Path(request, "rows.npz"))["values"]
            values, lengths = {name: pixels for name in model.padding.values}, [1] * len(pixels)
        logits = model.logits(values, asked["batch_size"])
        brought = OWN.get(model.manifest["runner"]["name"], ())
        answers_given = [answer.label for answer in model.answers(logits)]
    arrays = {"logits": logits, "labels": np.asarray(answers_given), "lengths": np.asarray(lengths, np.int64)}
    if asked["texts"] is not None:
        arrays |= {f"row_{name}": np.concatenate(list(rows)) for name, rows in values.items()}
    np.savez(answers, allow_pickle=False, **arrays)
    foreign = sorted(name for name in FOREIGN if name in sys.modules and name not in brought)
    if foreign:
        raise RuntimeError(f"the package imported {', '.join(foreign)}, which it does not bring")


if __name__ == "__main__":
    main(*sys.argv[1:])
