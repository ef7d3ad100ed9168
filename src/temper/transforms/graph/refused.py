"""A graph step that does not apply."""

from temper.errors import ArtifactError


def refused(step: str, happened: str, fix: str) -> ArtifactError:
    """The error of a graph step that finds nothing to do, or not what it is for.

    Args:
        step: its name, or with what it does behind it.
        happened: what stands in the graph instead.
        fix: what to do about it.
    """
    return ArtifactError(
        asked=f"apply {step}",
        happened=happened,
        affected="this ONNX file and what is made from it; nothing was written",
        fix=fix,
    )
