"""Padding that changes no answer: which token pads, and positions counted from a row's first token.

What pads is the tokenizer's choice, and two kinds of model read it in ways of their own. A classifier on the last token
finds that token by the configuration's pad_token_id. A model with a table of positions counts them from the first column,
which is padding where rows are padded on the left (docs/decisions/0025).
"""

import inspect
from typing import Any

from temper.errors import ArtifactError
from temper.signature import Signature, TensorSpec

INPUT_IDS, ATTENTION_MASK, POSITION_IDS = "input_ids", "attention_mask", "position_ids"
_PROBE_TOKENS, _PROBE_PADDING = 5, 3
_PROBE_TOLERANCE = 1e-4  # of the largest logit: a hundred times what another order of float32 sums makes
_SPOILED = "the checkpoint, and everything made from it; nothing was written"


def _padded_input(signature: Signature) -> TensorSpec | None:
    """The input of token ids; None for images."""
    return next((spec for spec in signature.inputs if spec.name == INPUT_IDS), None)


def hide_padding(network: Any, signature: Signature, asked: str) -> None:
    """Let a network know what pads its rows, in place, and check that left padding changes no answer.

    Args:
        network: a transformers model that classifies, on the CPU.
        signature: of the prepared data: the token that pads, and the side.
        asked: for errors.

    Raises:
        ArtifactError: the network has no embedding for the token that pads, or answers a row padded on the left
            otherwise than the row alone.
    """
    ids = _padded_input(signature)
    if ids is None:
        return
    rows = network.get_input_embeddings().num_embeddings
    if ids.pad_value >= rows:
        raise ArtifactError(
            asked=asked,
            happened=f"its tokenizer pads with token {ids.pad_value}, and its embedding has {rows} tokens, from 0 on",
            spoiled=_SPOILED,
            fix="set pad_token in its tokenizer_config.json to a token of the vocabulary, such as the end-of-sequence "
            "token, or save the model again after resize_token_embeddings",
        )
    network.config.pad_token_id = ids.pad_value
    if signature.padding_side == "left":
        alone = _probe(network, signature, ids.pad_value, padding=0)  # before positions are given: what is right
        count_positions(network, signature)
        padded = _probe(network, signature, ids.pad_value, padding=_PROBE_PADDING)
        _check_left_padding(network, alone, padded, asked)


def count_positions(network: Any, signature: Signature) -> None:
    """Let a network count positions from each row's first token, in place, where rows are padded on the left.

    Args:
        network: a transformers model; one that takes no position_ids stays as it is.
        signature: of the prepared data.
    """
    if signature.padding_side == "left" and POSITION_IDS in inspect.signature(network.forward).parameters:
        network.register_forward_pre_hook(_give_positions, with_kwargs=True)


def _check_left_padding(network: Any, alone: Any, padded: Any, asked: str) -> None:
    difference = float((padded - alone).abs().max())
    if not difference <= _PROBE_TOLERANCE * float(alone.abs().max()):  # NaN fails too
        raise ArtifactError(
            asked=asked,
            happened=f"its tokenizer pads on the left, and {_PROBE_PADDING} tokens of padding move a logit by "
            f"{difference:.3g}: labels would depend on the other rows of a batch",
            spoiled=_SPOILED,
            fix="set padding_side to right in the checkpoint's tokenizer_config.json",
        )


def _give_positions(network: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
    """Before a call: each token's place among its row's own tokens, 0 for the padding to the left of them.

    No cumulative sum of the mask: what every runtime of the exported graph has suffices.
    """
    import torch

    mask = kwargs.get(ATTENTION_MASK)
    if mask is None or kwargs.get(POSITION_IDS) is not None:
        return None
    columns = torch.arange(mask.shape[1], device=mask.device)
    padding = mask.shape[1] - mask.sum(dim=-1, keepdim=True)
    return args, {**kwargs, POSITION_IDS: (columns - padding).clamp(min=0)}


def _probe(network: Any, signature: Signature, pad: int, *, padding: int) -> Any:
    """Logits of one row of made-up tokens, `padding` of them before it."""
    import torch

    vocabulary = network.get_input_embeddings().num_embeddings
    tokens = [pad] * padding + [(pad + 1 + place) % vocabulary for place in range(_PROBE_TOKENS)]
    given = {INPUT_IDS: tokens, ATTENTION_MASK: [0] * padding + [1] * _PROBE_TOKENS}
    inputs = {spec.name: torch.tensor([given.get(spec.name, [0] * len(tokens))]) for spec in signature.inputs}
    training = network.training
    network.eval()
    with torch.inference_mode():
        logits = network(**inputs).logits
    network.train(training)
    return logits
