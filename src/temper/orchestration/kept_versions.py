"""Artifacts that were made elsewhere and are kept: the versions their makers used stand in for the installed ones.

A library's version is among the settings of the jobs whose bytes depend on it. Where a checkpoint comes from a machine
with another torch, this file says so, and planning takes it for what it is instead of training again.
"""

from collections.abc import Mapping
from pathlib import Path

from temper.artifacts.manifest import canonical_json, write_text
from temper.environment.machine import distribution_versions
from temper.errors import ArtifactError
from temper.reading.json_file import read_object

# What candidates run on is upgraded to be compared on the very same files. Where such a library also quantised a file, its
# version stands in the file's manifest, and another one does not make the file anew.
RUNTIMES = frozenset({"onnxruntime", "openvino"})
FILE = "kept_versions.json"  # beside params.yaml; in git, so that experiments in temporary folders see it too


def read_kept_versions() -> dict[str, dict[str, dict[str, str]]]:
    """Versions by rule, row and distribution; empty where nothing is kept.

    Raises:
        ArtifactError: the file is there and is no such table.
    """
    path = Path(FILE)
    if not path.is_file():
        return {}
    try:
        content = read_object(path)
        return {
            str(rule): {
                str(row): {str(name): str(version) for name, version in names.items()} for row, names in rows.items()
            }
            for rule, rows in content.items()
        }
    except (OSError, ValueError, AttributeError) as error:
        raise ArtifactError(
            asked=f"read {FILE}",
            happened=f"{type(error).__name__}: {error}",
            affected="nothing: no job was started",
            fix="temper forget removes it; temper sync --keep writes it anew",
        ) from None


def write_kept_versions(kept: Mapping[str, Mapping[str, Mapping[str, str]]]) -> None:
    """Write the table; remove the file where nothing is kept."""
    if kept:
        write_text(FILE, canonical_json(kept))
    else:
        Path(FILE).unlink(missing_ok=True)


def made_with(kept: Mapping[str, Mapping[str, Mapping[str, str]]], rule: str, row: str, *names: str) -> dict[str, str]:
    """Version of each distribution that makes a job's bytes anew: as kept for this job, else as installed."""
    counted = [name for name in names if name not in RUNTIMES]
    return {**distribution_versions(*counted), **kept.get(rule, {}).get(row, {})}
