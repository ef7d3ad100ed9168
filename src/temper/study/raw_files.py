"""Files from outside that a study reads: data files and a checkpoint folder. Planning watches them for changes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper.environment import plugins
from temper.study.refusal import params_error
from temper.study.sections.model import CheckpointModel, ModelOptions


def data_files(data: Mapping[str, Any]) -> list[str]:
    """The data files a source reads and that exist; one that is missing is the job's error to explain."""
    module = plugins.load("data", data["source"])
    if not hasattr(module, "input_files"):
        return []
    return _named([path for path in module.input_files(module.Options.model_validate(data)) if Path(path).is_file()])


def checkpoint_files(model: ModelOptions) -> list[str]:
    """The files of a local checkpoint folder, sorted; none for an architecture or a model of the hub."""
    if not isinstance(model, CheckpointModel):
        return []
    return _named(sorted(path.as_posix() for path in Path(model.checkpoint).glob("*") if path.is_file()))


def _named(paths: list[str]) -> list[str]:
    """The paths, none of which Snakemake would take for a pattern.

    Raises:
        ConfigError: one of them has a brace or a line's end in its name.
    """
    for path in paths:
        if set("{}\n\r") & set(path):
            raise params_error(f"the file {path!r} has a brace or a line's end in its name", "rename it")
    return paths
