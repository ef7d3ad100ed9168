"""Calls without the columns that are padding in every row, so that an engine of a shorter shape can run them."""

import numpy as np

from .packing import ATTENTION_MASK, Tensors


def trimmed(inputs: Tensors, padding_side: str, *, multiple_of: int = 1, at_least: int = 1) -> Tensors:
    """The batch cut to its longest row; views, nothing is copied. The answers stay: what is left out is masked.

    Args:
        inputs: attention_mask and the other inputs of a text model, integers [rows, tokens].
        padding_side: 'right' or 'left', where the padding stands.
        multiple_of: tokens; the length is rounded up to it, so that few shapes come to be.
        at_least: tokens that are kept.
    """
    mask = inputs[ATTENTION_MASK]
    # of one row, counting is a tenth of the time of a sum along an axis, which is then the longest step here
    longest = max(1, np.count_nonzero(mask) if len(mask) == 1 else int(mask.sum(axis=1).max()))
    longest = max(-(-longest // multiple_of) * multiple_of, at_least)
    if longest >= mask.shape[1]:
        return inputs
    kept = slice(None, longest) if padding_side == "right" else slice(-longest, None)
    return {name: array[:, kept] for name, array in inputs.items()}
