"""Padding that changes no answer: which token pads, and positions counted from a row's first token.

What pads is the tokenizer's choice, and two kinds of model read it in ways of their own. A classifier on the last token
finds that token by the configuration's pad_token_id. A model with a table of positions counts them from the first column,
which is padding where rows are padded on the left (docs/decisions/0025).
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper.artifacts.signature import Signature, TensorSpec
from temper.errors import ArtifactError

INPUT_IDS, ATTENTION_MASK, POSITION_IDS = "input_ids", "attention_mask", "position_ids"
_PROBE_TOKENS, _PROBE_PADDING = 5, 3
_PROBE_TEXT = "Two people meet on a bridge in the rain, and the film takes 90 minutes to say why. "
_PROBE_TOLERANCE = 1e-4  # of the largest logit: a hundred times what another order of float32 sums makes
_SPOILED = "the checkpoint, and everything made from it; nothing was written"


def _padded_input(signature: Signature) -> TensorSpec | None:
    """The input of token ids; None for images."""
    return next((spec for spec in signature.inputs if spec.name == INPUT_IDS), None)


def hide_padding(network: Any, signature: Signature, tokenizer_folder: Path, longest: int | None, asked: str) -> None:
    """Let a network know what pads its rows, in place, and check that padding changes no answer.

    Args:
        network: a transformers model that classifies, on the CPU.
        signature: of the prepared data: the token that pads, and the side.
        tokenizer_folder: holds the tokenizer.json that made the data.
        longest: most tokens of a row, which no timed call exceeds; None for images.
        asked: for errors.

    Raises:
        ArtifactError: the network has no embedding for the token that pads, cannot answer rows of `longest` tokens, or answers
            a padded row otherwise than the row alone.
    """
    ids = _padded_input(signature)
    if ids is None or longest is None:
        return
    rows = embedded_tokens(network)
    if rows is not None and ids.pad_value >= rows:
        raise ArtifactError(
            asked=asked,
            happened=f"its tokenizer pads with token {ids.pad_value}, and its embedding has {rows} tokens, from 0 on",
            affected=_SPOILED,
            fix="set pad_token in its tokenizer_config.json to a token of the vocabulary, such as the end-of-sequence "
            "token, or save the model again after resize_token_embeddings",
        )
    network.config.pad_token_id = ids.pad_value
    probes = [_probe_row(tokenizer_folder, tokens) for tokens in _probe_lengths(longest)]
    takes = most_answered(network, signature, tokenizer_folder, longest)
    if takes < longest:
        why = _failure(network, signature, tokenizer_folder, longest)
        raise _too_long(takes, longest, why or "", asked)
    alone = [_logits(network, signature, row, len(row[INPUT_IDS])) for row in probes]  # before positions are given
    count_positions(network, signature)
    scale = max(float(logits.abs().max()) for logits in alone)
    for row, right in zip(probes, alone, strict=True):
        for length in _padded_lengths(len(row[INPUT_IDS]), longest):
            found = _logits(network, signature, row, length)
            _check_padding(float((found - right).abs().max()), scale, length - len(row[INPUT_IDS]), signature, asked)


def embedded_tokens(network: Any) -> int | None:
    """How many tokens a network has an embedding for; None where it has no table of them, as networks of characters."""
    try:
        return int(network.get_input_embeddings().num_embeddings)
    except (NotImplementedError, AttributeError):
        return None


def count_positions(network: Any, signature: Signature) -> None:
    """Let a network count positions from each row's first token, in place, where rows are padded on the left.

    Args:
        network: a transformers model; one that takes no position_ids stays as it is.
        signature: of the prepared data.
    """
    if signature.padding_side == "left" and POSITION_IDS in inspect.signature(network.forward).parameters:
        network.register_forward_pre_hook(_give_positions, with_kwargs=True)


def _check_padding(difference: float, scale: float, padding: int, signature: Signature, asked: str) -> None:
    if difference <= _PROBE_TOLERANCE * scale:  # not where it is NaN
        return
    side = signature.padding_side
    fix = (
        "set padding_side to right in the checkpoint's tokenizer_config.json"
        if side == "left"
        else "choose a checkpoint whose network masks its padding (networks that mix all places without an attention mask, by "
        "Fourier transforms or convolutions, cannot be batched with rows of other lengths)"
    )
    raise ArtifactError(
        asked=asked,
        happened=f"its tokenizer pads on the {side}, and {padding} tokens of padding move a logit by {difference:.3g}: labels "
        "would depend on the other rows of a batch",
        affected=_SPOILED,
        fix=fix,
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


def _probe_lengths(longest: int) -> list[int]:
    """Tokens of the rows that are probed: a short one, a quarter of the longest, and the longest, which has to be answered."""
    short = min(_PROBE_TOKENS, longest)
    return sorted({short, max(short, longest // 4), longest})


def _padded_lengths(tokens: int, longest: int) -> list[int]:
    """Lengths that a row is padded to: a little, shares of the longest (longer calls may go another way), the longest."""
    lengths = (tokens + _PROBE_PADDING, longest // 8, longest // 2, longest)
    return sorted({length for length in lengths if tokens < length <= longest})


def _probe_row(tokenizer_folder: Path, tokens: int) -> dict[str, list[int]]:
    """A row of at most so many tokens as the tokenizer makes it, special tokens included."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=tokens)
    row = tokenizer.encode(_PROBE_TEXT * (1 + tokens // 4))
    return {INPUT_IDS: row.ids, "token_type_ids": row.type_ids}


def most_answered(network: Any, signature: Signature, tokenizer_folder: Path, most: int) -> int:
    """The longest row that a network answers, in tokens, by asking it: its configuration may count positions that hold none.

    Args:
        network: a transformers model that classifies, on the CPU.
        signature: of its inputs.
        tokenizer_folder: holds its tokenizer.json.
        most: more is not asked for.

    Returns:
        `most` where it answers so many; 0 where it answers no row.
    """

    def answers(tokens: int) -> bool:
        return _failure(network, signature, tokenizer_folder, tokens) is None

    if answers(most):
        return most
    least, beyond = 0, most
    while beyond - least > 1:
        middle = (least + beyond) // 2
        least, beyond = (middle, beyond) if answers(middle) else (least, middle)
    return least


def _failure(network: Any, signature: Signature, tokenizer_folder: Path, tokens: int) -> str | None:
    """What a network says that cannot answer a row of so many tokens; None where it answers."""
    row = _probe_row(tokenizer_folder, tokens)
    try:
        _logits(network, signature, row, max(tokens, len(row[INPUT_IDS])))
    except Exception as error:  # each network fails its own way
        return f"{type(error).__name__}: {str(error).strip()[:300]}"
    return None


def _too_long(takes: int, longest: int, why: str, asked: str) -> ArtifactError:
    happened, fix = f"it cannot answer a row of {longest} tokens: {why}", "choose another checkpoint"
    if takes >= _PROBE_TOKENS:
        happened = (
            f"it cannot answer a row of {longest} tokens; asked with shorter ones, it answers up to {takes} ({why})"
        )
        fix = f"set data.max_tokens in params.yaml to {takes} or less (longer texts are cut there)"
    return ArtifactError(asked=asked, happened=happened, affected=_SPOILED, fix=fix)


def _logits(network: Any, signature: Signature, row: Mapping[str, list[int]], length: int) -> Any:
    """Logits of one row padded to a length, float32 [1, labels] or of its own tokens, on the signature's side."""
    import torch

    padding = [0] * (length - len(row[INPUT_IDS]))
    given = {**row, ATTENTION_MASK: [1] * len(row[INPUT_IDS])}
    inputs = {}
    for spec in signature.inputs:
        values, pads = given.get(spec.name, [0] * len(row[INPUT_IDS])), [spec.pad_value] * len(padding)
        inputs[spec.name] = torch.tensor([pads + values if signature.padding_side == "left" else values + pads])
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            logits = network(**inputs).logits
            if signature.answers_at is None:
                return logits
            own = len(row[INPUT_IDS])  # answers at padding are nobody's
            return logits[:, len(padding) :] if signature.padding_side == "left" else logits[:, :own]
    finally:
        network.train(training)
