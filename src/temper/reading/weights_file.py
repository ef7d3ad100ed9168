"""A safetensors file: what its head says that it holds, before a library loads it."""

from pathlib import Path

from temper.errors import ArtifactError
from temper.reading.bounded import Unreadable, no_panic

_SPOILED = "the checkpoint, and everything made from it; nothing was written"


def tensors_in(file: str | Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors by name; no tensor is read.

    Raises:
        ArtifactError: it is absent, no ordinary file, or no safetensors file.
    """
    path = Path(file)
    try:
        if not path.is_file():
            raise Unreadable(
                "it is a pipe, a socket or a device, and no file" if path.exists() else "it does not exist"
            )
        from safetensors import safe_open

        with no_panic(), safe_open(str(path), framework="np") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors' own kind, and the file system's
        why = str(error) if isinstance(error, Unreadable) else f"{type(error).__name__}: {str(error).strip()[:400]}"
        raise ArtifactError(
            asked=f"read the weights in {path}",
            happened=why,
            affected=_SPOILED,
            fix="restore the checkpoint's files; a truncated safetensors file cannot be read",
        ) from None
