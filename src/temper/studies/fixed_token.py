"""Whether a classifier reads the token of one fixed place, as BERT's does: what read_token needs (temper/transforms).

Asked of the network in PyTorch, in a second; the graph step itself would need an export.
"""

from typing import Any

import numpy as np

from temper.artifacts.signature import Signature, Tensors

_LENGTHS = (9, 5)  # tokens of the two probed rows; the second is padded


def _probe(signature: Signature, tokens: int) -> Tensors:
    """Two rows of arbitrary tokens, [2, 9] for each input."""
    longest = max(_LENGTHS)
    inputs = {}
    for spec in signature.inputs:
        batch = np.full((len(_LENGTHS), longest), spec.pad_value, dtype=np.int64)
        for row, length in enumerate(_LENGTHS):
            places = slice(0, length) if signature.padding_side == "right" else slice(longest - length, longest)
            if spec.name == "input_ids":
                ids = [token for token in range(min(tokens, longest + 1)) if token != spec.pad_value]
                batch[row, places] = np.resize(ids, length)
            else:
                batch[row, places] = 1 if spec.name == "attention_mask" else 0
        inputs[spec.name] = batch
    return inputs


def _read_places(network: Any, signature: Signature) -> list[list[int]] | None:
    """Of each probed row the places of the last hidden states that its logits depend on; None where that cannot be told."""
    import torch

    states: list[Any] = []

    def keep(module: Any, given: Any, made: Any) -> None:
        states.append(made[0])
        made[0].retain_grad()

    table = network.get_input_embeddings()
    inputs = {name: torch.from_numpy(array) for name, array in _probe(signature, table.num_embeddings).items()}
    hook = network.base_model.register_forward_hook(keep)
    training = network.training
    network.eval()
    try:
        with torch.enable_grad():
            network(**inputs).logits.sum().backward()
    finally:
        hook.remove()
        network.train(training)
        network.zero_grad()
    (state,) = states
    if state.grad is None or state.dim() != 3:
        return None
    return [np.flatnonzero(row.abs().sum(-1).numpy()).tolist() for row in state.grad]


def why_not(network: Any, signature: Signature) -> str | None:
    """Why the graph steps behind the recipe's fastest row would refuse a network; None where they take it.

    Args:
        network: a transformers classifier of texts, on the CPU; it stays as it is.
        signature: of its inputs.
    """
    if getattr(network.config, "_attn_implementation", None) != "sdpa":
        return "its attention is not exported with the guard that unguarded_softmax removes"
    try:
        places = _read_places(network, signature)
    except Exception as error:  # each network fails its own way at a row that is none of its tokenizer's
        return f"the token that its classifier reads cannot be told ({type(error).__name__})"
    if places is None:
        return "the token that its classifier reads cannot be told"
    if any(len(read) != 1 or read != places[0] for read in places):
        return "its classifier does not read the token of one fixed place, as BERT's does"
    return None
