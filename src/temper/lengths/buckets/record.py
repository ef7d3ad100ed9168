"""What a choice of buckets left: artifacts/buckets/<row>.json. Its readers do not depend on the code that chooses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import read_manifest

KIND = "buckets"


def read_buckets(file: str | Path) -> dict[str, Any]:
    """The limits of a row of `buckets:` and what they cost, checked against the file's own seal.

    Returns:
        row: the settings; rows: of the split; tokens: of all its rows, without padding; longest_row: tokens;
        max_tokens: the longest row that the model is given, which the last limit serves; limits: chosen, ascending.
        budgets: for 1, 2, … profiles the best choice: profiles, limits, rows_per_limit, computed_tokens (padding included),
        padding_share (0–1), relative_cost (1 without any padding); the first is one length for all rows, the last is what
        was chosen. every_length: the same where each rounded length has a limit of its own: what rounding alone costs.

    Raises:
        ArtifactError: it is absent, of another kind, or altered.
    """
    return read_manifest(file, kind=KIND, verify=[])


def shapes_of(row: Mapping[str, Any], buckets_file: str | Path | None) -> list[list[int]]:
    """The static shapes that an engine's row asks for.

    Args:
        row: a row of `engines:` or of `bucketed_engines:`.
        buckets_file: of the row's buckets; None where it names none.

    Returns:
        Sizes of the dynamic axes, batch first, by the row's order or by length; [] for a row of min, opt and max.

    Raises:
        ArtifactError: the buckets were altered, or are not there.
    """
    if buckets_file is not None:
        buckets = read_buckets(buckets_file)
        return [[buckets["row"]["batch_size"], limit] for limit in buckets["limits"]]
    return [list(shape) for shape in row.get("static_shapes", ())]
