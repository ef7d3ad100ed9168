"""The parts that every package has, whatever was measured: the model, its preprocessing, the runtime, and how it is called."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import MANIFESTS, read_manifest
from temper.artifacts.signature import PREPROCESSOR_FILES
from temper.environment.machine import versions
from temper.package.runtime_at import Runtime
from temper.prediction.preprocessing import Preprocessing

RUNTIME = Path(__file__).with_name("runtime")
MODULE = "package_runtime"
HISTORY = "training_history.json"  # of a checkpoint: how it was trained answers nothing
_WITHOUT = shutil.ignore_patterns("__pycache__", "*.pyc")


def calls_of(how: Preprocessing, runtime: Runtime, *, texts_per_row: int, batch_size: int) -> dict[str, Any]:
    """How rows become the arrays of a call, for manifest.json."""
    return {
        "inputs": [spec.model_dump(include={"name", "dtype", "pad_value"}) for spec in how.signature.inputs],
        "max_tokens": how.max_tokens,
        "texts_per_row": texts_per_row,
        "batch_size": batch_size,
        "pad_to_multiple_of": runtime.pad_to_multiple_of,
        "served_multiple_of": runtime.served_multiple_of,
        "batch_sizes": list(runtime.batch_sizes),
    }


def runner_of(runtime: Runtime, artifact: Path) -> dict[str, Any]:
    """What runs the model, for manifest.json: of an engine with the shapes it was built for."""
    facts: dict[str, Any] = {"name": runtime.runner, "options": dict(runtime.options)}
    if (artifact / MANIFESTS["engines"]).is_file():
        facts["profiles"] = read_manifest(artifact / MANIFESTS["engines"], kind="engine", verify=[])["profiles"]
    return facts


def libraries_of(runtime: Runtime, encoder: str) -> dict[str, str]:
    """The libraries that decide an answer, with their versions, for manifest.json."""
    return {runtime.distribution: runtime.version, encoder: versions(encoder)[encoder]}


def copy_model(artifact: Path, files: Iterable[str], how: Preprocessing, target: Path) -> None:
    """Put model, preprocessing and the runtime into a folder that is there.

    Args:
        artifact: folder of the model.
        files: of it, by name.
        how: the preprocessing.
        target: the package's folder.
    """
    task = how.signature.task
    model, preprocessing = target / "model", target / "preprocessing"
    model.mkdir()
    preprocessing.mkdir()
    for name in files:
        if name not in (*PREPROCESSOR_FILES[task], HISTORY):
            (model / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(artifact / name, model / name)
    for name in PREPROCESSOR_FILES[task]:
        shutil.copyfile(how.folder / name, preprocessing / name)
    shutil.copytree(RUNTIME, target / MODULE, ignore=_WITHOUT)
