"""A body of transformers as an embedder: what sentence-transformers' modules make of its tokens, as `logits`."""

import functools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from temper.errors import ArtifactError
from temper.reading.json_file import read_json
from temper.training.checkpoint_config import MOST_BYTES

MODULES = "modules.json"
KEY = "temper_pooling"  # of config.json: what was found when the checkpoint was first loaded
_MODES = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
}
_FOLDER = r"[\w-][\w.-]*"  # a name, and no way to elsewhere
_KNOWN = ("Transformer", "Pooling", "Normalize")
_SMALLEST = 1e-9  # sentence-transformers' own


def _path(checkpoint: str, name: str) -> Path | None:
    """A file of sentence-transformers beside a checkpoint, or above its weights' folder; None without it."""
    if os.path.isdir(checkpoint):
        places = (Path(checkpoint), Path(checkpoint).parent)
        return next((each / name for each in places if (each / name).is_file()), None)
    from transformers.utils.hub import cached_file

    path = cached_file(checkpoint, name, _raise_exceptions_for_missing_entries=False)
    return None if path is None else Path(path)


def _file(checkpoint: str, name: str) -> Any:
    """Content of such a file, which is JSON."""
    found = _path(checkpoint, name)
    return None if found is None else read_json(found, MOST_BYTES)


def _settings(modules: list[Any]) -> str:
    """Where modules say that the settings of their pooling are."""
    paths = (
        str(each.get("path"))
        for each in modules
        if isinstance(each, Mapping) and str(each.get("type", "")).endswith("Pooling")
    )
    named = next(paths, "")
    return f"{named if re.fullmatch(_FOLDER, named) else '1_Pooling'}/config.json"


def pooling_files(folder: Path) -> dict[str, Path]:
    """modules.json and the settings of the pooling, by their names in a folder of sentence-transformers; empty without them.

    Raises:
        ValueError: modules.json is no JSON.
    """
    modules = _file(str(folder), MODULES)
    if not isinstance(modules, list) or not modules:
        return {}
    places = {name: _path(str(folder), name) for name in (MODULES, _settings(modules))}
    return {name: path for name, path in places.items() if path is not None}


def _refused(checkpoint: str, happened: str, fix: str) -> ArtifactError:
    return ArtifactError(
        asked=f"pool the tokens of {checkpoint} as sentence-transformers does",
        happened=happened,
        affected="the checkpoint, and everything made from it; nothing was written",
        fix=fix,
    )


def pooling_of(checkpoint: str) -> dict[str, Any]:
    """How a checkpoint's tokens become one embedding: `mode` of _MODES' values, and whether it is normalised.

    Raises:
        ArtifactError: its modules are others than a body, one pooling and a normalisation.
    """
    modules = _file(checkpoint, MODULES)
    if not isinstance(modules, list):
        return {"mode": "mean", "normalize": False}
    kinds = [str(each.get("type", "")).rpartition(".")[2] for each in modules if isinstance(each, Mapping)]
    other = [kind for kind in kinds if kind not in _KNOWN]
    if other:
        raise _refused(
            checkpoint,
            f"its modules.json has {', '.join(kinds)}",
            f"choose one whose modules are {', '.join(_KNOWN)}: {', '.join(other)} is not computed here",
        )
    content = _file(checkpoint, _settings(modules))
    said = content if isinstance(content, Mapping) else {}
    asked: list[str] = [mode for key, mode in _MODES.items() if said.get(key)]
    if isinstance(said.get("pooling_mode"), str):  # of newer releases
        asked = ["last" if said["pooling_mode"] == "lasttoken" else str(said["pooling_mode"])]
    if len(asked) != 1 or asked[0] not in _MODES.values():
        raise _refused(
            checkpoint,
            f"its pooling is {', '.join(asked) or 'none that is known'}",
            f"choose one that pools by one of {', '.join(_MODES.values())}",
        )
    return {"mode": asked[0], "normalize": "Normalize" in kinds}


def _pool(hidden: Any, mask: Any, mode: str) -> Any:
    """One vector of each row, [rows, width], of its tokens that are no padding."""
    import torch

    if mode == "cls":  # the first token of the row itself, also where padding stands before it
        first = mask.to(torch.int64).argmax(dim=1)
        return hidden[torch.arange(hidden.shape[0], device=hidden.device), first]
    if mode == "last":
        columns = torch.arange(mask.shape[1], device=mask.device)
        last = (mask * columns).argmax(dim=1)
        return hidden[torch.arange(hidden.shape[0], device=hidden.device), last]
    own = mask.unsqueeze(-1).to(hidden.dtype)
    if mode == "max":
        return (hidden + (1 - own) * torch.finfo(torch.float16).min).amax(dim=1)
    return (hidden * own).sum(dim=1) / own.sum(dim=1).clamp(min=_SMALLEST)


def pooled(network: Any, checkpoint: str) -> Any:
    """The network, in place, with its pooled tokens as the `logits` of what it returns.

    Args:
        network: a body of transformers.
        checkpoint: where it was loaded from: a folder, or a name of the hub.

    Raises:
        ArtifactError: how its tokens are pooled is not known here.
    """
    import torch

    how = getattr(network.config, KEY, None) or pooling_of(checkpoint)
    setattr(network.config, KEY, how)
    inner = network.forward

    @functools.wraps(inner)
    def forward(*arguments: Any, **inputs: Any) -> Any:
        hidden = inner(*arguments, **inputs).last_hidden_state
        mask = inputs.get("attention_mask")
        if mask is None:
            mask = torch.ones(hidden.shape[:2], dtype=torch.int64, device=hidden.device)
        found = _pool(hidden, mask, how["mode"])
        return SimpleNamespace(logits=torch.nn.functional.normalize(found, dim=1) if how["normalize"] else found)

    network.forward = forward
    return network
