"""config.json of a checkpoint from outside: read within bounds, before a library builds what it asks for."""

from pathlib import Path
from typing import Any

from temper.reading.json_file import read_object

MOST_BYTES = 16 * 2**20
MOST_LAYERS = (
    1000  # of networks that are trained; a library builds as many as it is told, before it looks at the weights
)
MOST_LABELS = 10**5
MOST = 10**9  # of any other whole number


def _too_large(key: str, value: Any) -> str | None:
    """What is beyond all networks in a value, in words."""
    if isinstance(value, dict):
        return next((found for name, each in value.items() if (found := _too_large(str(name), each))), None)
    if isinstance(value, list):
        if len(value) > MOST_BYTES // 64:
            return f"{key} has {len(value):,} entries"
        return next((found for each in value if (found := _too_large(key, each))), None)
    if isinstance(value, int) and not isinstance(value, bool):
        most = (
            MOST_LAYERS if "layers" in key or key in ("n_layer", "depths") else MOST_LABELS if "labels" in key else MOST
        )
        if abs(value) > most:
            return f"{key} is {value:,}, and {most:,} is the most that is built"
    return None


def read_config(file: Path) -> dict[str, Any]:
    """The content of a config.json.

    Raises:
        ValueError: in words: it is too large, no JSON, nested without end, no table, or asks for what no network has.
        OSError: it cannot be read.
    """
    content = read_object(file, MOST_BYTES)
    found = _too_large("config", content)
    if found is not None:
        raise ValueError(found)
    return content


def remote_code(content: dict[str, Any]) -> str | None:
    """What a config.json names as code of its own, in words; None where it names none."""
    asked = content.get("auto_map")
    if asked is None:
        return None
    return ", ".join(map(str, asked.values()))[:200] if isinstance(asked, dict) else str(asked)[:200]
