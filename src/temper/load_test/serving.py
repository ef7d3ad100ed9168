"""What a load test through a server has to know of the study beside its own row."""

from collections.abc import Mapping
from typing import Any

from temper.artifacts.signature import BATCH_AXIS, SEQUENCE_AXIS
from temper.study.refusal import params_error
from temper.study.sections.load_tests import LoadTestRow

TEXT = "text-classification"


def serving_of(study: Any, section: Mapping[str, Any]) -> dict[str, Any] | None:
    """Of the study that a row of `load_tests:` stands in.

    Args:
        study: as `temper.study.schema.Study`.
        section: the row.

    Returns:
        texts_per_row (1 or 2), and sizes: [rows, tokens or None] of the workloads that a candidate of the same backend and
        artifact is timed on, the row's own among them. None where the row names nothing in between.
    """
    row = LoadTestRow.model_validate(section)
    if row.through is None:
        return None
    same = [each for each in study.candidates.values() if (each.backend, each.loads) == (row.backend, row.loads)]
    named = dict.fromkeys([row.workload, *(workload for each in same for workload in each.workloads)])
    workloads = [study.workloads[name] for name in named]
    return {
        "texts_per_row": len(study.data.get("text") or [""]),
        "sizes": [[own[BATCH_AXIS], own.get(SEQUENCE_AXIS)] for own in workloads],
    }


def check_served(row: LoadTestRow, backend: Any, task: str) -> None:
    """Check that a package of the artifact can be made, and asked.

    Raises:
        ConfigError: the model takes images, or the package's runtime does not know the backend.
    """
    from temper.backends.packaged import unsupported  # here: nothing else plans with it

    named = f"a load test of {row.loads} on {row.backend} goes through {row.through}"
    if task != TEXT:
        raise params_error(f"{named}, and the model takes images: prepared rows are pixels, no files", "leave it out")
    lacking = unsupported({"runner": backend.runner, "options": backend.options})
    if lacking is not None or row.loads == "checkpoint":
        raise params_error(f"{named}: {lacking or 'it loads the checkpoint'}", "leave it out, or name another backend")
