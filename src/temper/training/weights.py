"""A checkpoint's tensors into its model: under a wrapper's prefix, with a head that is to be new, and none made up in silence.

transformers fills what a checkpoint has no tensor for with random numbers, and logs it. Here that is a head that was asked
for, or an error (docs/decisions/0054).
"""

import copy
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from temper.errors import ArtifactError
from temper.logs.script_log import say_lasting

Load = Callable[..., tuple[Any, dict[str, Any]]]
_SPOILED = "the checkpoint, and everything made from it; nothing was written"
_SHOWN = 4


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else "")


def _without_base(network: Any, name: str) -> str:
    return name.removeprefix(f"{network.base_model_prefix}.") if network.base_model_prefix else name


def _is_head(network: Any, name: str) -> bool:
    """Whether a tensor belongs to what fine-tuning may have to begin: all beside the base model, and its pooler."""
    base = network.base_model_prefix
    outside = bool(base) and hasattr(network, base) and not name.startswith(f"{base}.")
    return outside or "pooler" in name.split(".")


def wrapper_prefix(network: Any, missing: Iterable[str], unexpected: Iterable[str]) -> str | None:
    """What stands before the names of a checkpoint's tensors, such as `_orig_mod.` (torch.compile) or `module.` (DataParallel).

    Args:
        network: the model; its own name of the base model may be absent from the checkpoint's.
        missing: names that the model has and the checkpoint lacks.
        unexpected: names that the checkpoint has and the model lacks.

    Returns:
        The one prefix under which all missing tensors of the base model are; None where there is none.
    """
    by_end: dict[str, list[str]] = {}
    for name in unexpected:
        parts = name.split(".")
        for start in range(1, len(parts)):
            by_end.setdefault(".".join(parts[start:]), []).append(name)
    missing = set(missing)
    found: Counter[str] = Counter()
    for name in missing:
        ends = {name, _without_base(network, name)}
        found.update({other.removesuffix(end) for end in ends for other in by_end.get(end, [])})
    body = sum(not _is_head(network, name) for name in missing)
    best = max(found, key=lambda prefix: (found[prefix], -len(prefix)), default=None)
    return best if best is not None and body and found[best] >= body else None


def label_tensors(network: Any) -> set[str]:
    """Names of the tensors whose size is the number of labels: of the last layer of the head."""
    import torch

    config = copy.deepcopy(network.config)
    config.num_labels = network.config.num_labels + 1
    with torch.device("meta"):
        other = type(network)(config).state_dict()
    return {name for name, value in network.state_dict().items() if other[name].shape != value.shape}


def _rebuilt(network: Any, left_out: set[str]) -> Any:
    """The same network made anew, with its tensors but those left out, which stay as they are initialised.

    Made anew, it has forgotten under which names its tensors were loaded, and saves them under its own.
    """
    fresh = type(network)(network.config)
    fresh.load_state_dict(
        {name: value for name, value in network.state_dict().items() if name not in left_out}, strict=False
    )
    return fresh.eval()


def load_whole(load: Load, asked: str, *, new_head: bool, any_head: bool, **arguments: Any) -> Any:
    """Load a checkpoint, of which nothing but the head may be missing, and that where it is to be trained.

    Args:
        load: loads it by `from_pretrained` with further arguments; returns the model and its loading info.
        asked: for errors.
        new_head: the head is not the checkpoint's, even where its sizes fit.
        any_head: a head may be missing or of another size: then it is initialised.
        arguments: of `load`.

    Raises:
        ArtifactError: it cannot be loaded, or lacks tensors.
    """
    network, loading = load(**arguments)
    prefix = wrapper_prefix(network, loading["missing_keys"], loading["unexpected_keys"])
    if prefix is not None:
        say_lasting(f"checkpoint: its tensors stand under {prefix!r}, as a wrapper saves them, and are read without it")
        network, loading = load(**arguments, key_mapping={f"^{re.escape(prefix)}": ""})
    # sizes that differ come with the sizes: (name, the checkpoint's, the model's)
    missing = {*loading["missing_keys"], *(entry[0] for entry in loading["mismatched_keys"])}
    refused = {name for name in missing if not (any_head and _is_head(network, name))}
    if refused:
        raise _lacking(network, refused, loading["unexpected_keys"], asked)
    left_out = label_tensors(network) if new_head else set()
    if missing or left_out:
        say_lasting(f"checkpoint: trained from random numbers: {_some(missing | left_out)}")
    return _rebuilt(network, left_out) if prefix is not None or left_out - missing else network


def _lacking(network: Any, missing: set[str], unexpected: Iterable[str], asked: str) -> ArtifactError:
    body = {name for name in missing if not _is_head(network, name)}
    happened = f"the checkpoint has no weights for {_some(body or missing)}"
    unknown = set(unexpected)
    if body and unknown:
        happened += f"; it has {_some(unknown)}, which a {type(network).__name__} has no place for"
    fix = (
        "it is not fine-tuned for this task: set train.method to fine_tune"
        if not body
        else "give the whole checkpoint, saved by save_pretrained of the model itself (what wraps it has it as .module, "
        "._orig_mod or .model); what is missing would be random numbers"
    )
    return ArtifactError(asked=asked, happened=happened, affected=_SPOILED, fix=fix)
