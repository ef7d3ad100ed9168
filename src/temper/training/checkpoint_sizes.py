"""Sizes in a checkpoint's config.json, held against its weights: transformers makes room for what config.json says.

Nothing heavy is imported, no tensor is read and no network is built, but by `why_more_than_weights`, which builds one without
memory.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.reading.weights_file import tensors_in

CHANGES_NO_RESULT = "it refuses a checkpoint before a network is built of it"
# what the weights do not have to hold, since so much is no burden: parts of a saved configuration may go unused (the texts' half
# of a CLIP that takes images), sizes of a head may be new
_WIDTH, _VOCABULARY, _POSITIONS, _LAYERS = 8192, 2**20, 2**20, 64
_SHARED = 4  # EfficientNet counts four layers for each of its blocks
_ROOM = 2**30  # bytes beside twice the weights: a new head, masks of positions
_POSITION = re.compile(r"position|^n_ctx$")
_VOCABULARIES = re.compile(r"vocab|num_embeddings")
_LAYER = re.compile(r"layers|^n_layer$|^depths?$")
_WIDTHS = re.compile(
    r"(^|_)(hidden|embed|embedding|embeddings|intermediate|ffn|mlp|inner|head|projection|proj|state|channel)_?(size|sizes|dim|dims)$"
    r"|^(dim|d_model|d_ff|d_inner|d_kv|d_embed|n_embd|n_inner|n_hidden|ffn_dim|hidden_dim|emb_dim|embed_dim|embed_dims|width|"
    r"num_channels|in_channels|num_filters|type_vocab_size|num_labels|_num_labels|n_heads?|num_attention_heads|num_heads)$"
)
SIZES_FIX = "restore config.json beside its weights: both files as save_pretrained wrote them"
_NUMBER = re.compile(r"(?:^|\.)(\d+)(?=\.|$)")


@dataclass(frozen=True)
class _Held:
    """What weight files hold: the largest side of a tensor, and layers by the largest number in a name."""

    side: int
    layers: int


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    return {name: shape for file in sorted(folder.glob("*.safetensors")) for name, shape in tensors_in(file).items()}


def _held(shapes: Mapping[str, tuple[int, ...]]) -> _Held:
    numbers = (int(found) for name in shapes for found in _NUMBER.findall(name) if len(found) < 6)
    sides = (side for shape in shapes.values() for side in shape)
    return _Held(max(sides, default=0), max(numbers, default=-1) + 1)


def _numbers(key: str, value: Any) -> Iterator[tuple[str, int]]:
    """Every whole number of a configuration with its key."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _numbers(str(name), each)
    elif isinstance(value, list):
        for each in value:
            yield from _numbers(key, each)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield key, value


def _most(key: str, held: _Held) -> int | None:
    """The most that a size may be; None where the key names no size."""
    if _LAYER.search(key):
        return max(_LAYERS, _SHARED * held.layers)
    if _VOCABULARIES.search(key) and key != "type_vocab_size":
        return max(_VOCABULARY, held.side)
    if _POSITION.search(key):
        return max(_POSITIONS, held.side)
    return max(_WIDTH, held.side) if _WIDTHS.search(key) else None


def why_larger_than_weights(folder: Path, config: Mapping[str, Any]) -> str | None:
    """Which size of a config.json is beyond what the weights beside it hold, in words.

    Args:
        folder: with *.safetensors; where there are none, nothing is said.
        config: the content of its config.json.

    Returns:
        None where none is.

    Raises:
        ArtifactError: a file of weights cannot be read.
    """
    shapes = _shapes(folder)
    if not shapes:
        return None
    held = _held(shapes)
    for key, value in _numbers("config", config):
        most = _most(key, held)
        if most is not None and value > most:
            has = f"{held.layers:,} layers" if _LAYER.search(key) else f"no tensor with a side above {held.side:,}"
            return f"its config.json says {key}: {value:,}, and its weights have {has}"
    return None


def _bytes(tensors: Iterable[Any]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def why_more_than_weights(folder: Path, auto_class: Any) -> str | None:
    """How much a network takes beyond what its weights hold, in words; it is built without memory, on PyTorch's meta device.

    Args:
        folder: a checkpoint's.
        auto_class: of transformers, by which it will be loaded.

    Returns:
        None where it takes no more; or where it cannot be built, which loading it says.
    """
    import torch
    from transformers import AutoConfig

    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            network = auto_class.from_config(AutoConfig.from_pretrained(folder, trust_remote_code=False))
    except Exception:  # each configuration class has its own; loading it meets the same, and words it
        return None
    takes = _bytes(network.parameters()) + _bytes(network.buffers())
    weights = sum(4 * math.prod(shape) for shape in _shapes(folder).values())
    if takes <= 2 * weights + _ROOM:
        return None
    return (
        f"a {type(network).__name__} of its config.json takes {takes / 2**30:,.1f} GiB, and its weights have "
        f"{weights / 2**30:,.1f} GiB"
    )
