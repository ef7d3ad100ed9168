"""A BERT-like classifier as functions of the tokens of all rows, end to end.

Layers that look at one token alone (products, normalisation, GELU) run on all tokens in one tensor; attention is
a kernel for short rows or `torch.nn.attention.varlen` on CUDA, that is Flash Attention with the rows' boundaries, and row by row
on the CPU. The last
layer computes its queries, and all behind attention, for the first token of each row: the head reads no other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Layer:
    """One layer's tensors: weights [outputs, inputs], as `torch.nn.functional.linear` takes them."""

    qkv: tuple[Any, Any]  # query, key and value as one product
    out: tuple[Any, Any]
    attention_norm: tuple[Any, Any]
    up: tuple[Any, Any]
    down: tuple[Any, Any]
    output_norm: tuple[Any, Any]


def _own(module: Any) -> tuple[Any, Any]:
    return module.weight, module.bias


def _layers_of(model: Any, torch: Any) -> list[Layer]:
    base, found = model.base_model, []
    if model.config.model_type == "distilbert":
        for block in base.transformer.layer:
            attention = block.attention
            qkv = [attention.q_lin, attention.k_lin, attention.v_lin]
            found.append(
                Layer(
                    _joined(qkv, torch),
                    _own(attention.out_lin),
                    _own(block.sa_layer_norm),
                    _own(block.ffn.lin1),
                    _own(block.ffn.lin2),
                    _own(block.output_layer_norm),
                )
            )
        return found
    for block in base.encoder.layer:
        own, after = block.attention.self, block.attention.output
        found.append(
            Layer(
                _joined([own.query, own.key, own.value], torch),
                _own(after.dense),
                _own(after.LayerNorm),
                _own(block.intermediate.dense),
                _own(block.output.dense),
                _own(block.output.LayerNorm),
            )
        )
    return found


def _joined(modules: Sequence[Any], torch: Any) -> tuple[Any, Any]:
    return torch.cat([each.weight for each in modules]), torch.cat([each.bias for each in modules])


def _head_of(model: Any, torch: Any) -> Callable[[Any], Any]:
    """Logits [rows, labels] of the first tokens [rows, hidden size]: the model's own head."""
    family = model.config.model_type
    if family == "distilbert":
        return lambda first: model.classifier(torch.relu(model.pre_classifier(first)))
    if family == "bert":
        return lambda first: model.classifier(model.base_model.pooler(first[:, None]))
    return lambda first: model.classifier(first[:, None])


def _positions_in_rows(torch: Any, tokens: int, starts: Any, first: int, most: int) -> Any:
    """Position of each token in its row, int32 [tokens]; `first` is that of a row's first token.

    Not compiled: inductor of PyTorch 2.11 answers `searchsorted` wrongly on CUDA.
    """
    every = torch.arange(tokens, device=starts.device, dtype=torch.int32)
    row = torch.searchsorted(starts[1:-1], every, right=True, out_int32=True)
    # what fills up may be longer than a row can be
    return torch.clamp(every - starts.index_select(0, row) + first, max=most)


def _functions(torch: Any, eps: float) -> dict[str, Callable[..., Any]]:
    """What is computed of each token alone, in parts that become one kernel behind a product each."""
    functional = torch.nn.functional
    linear, norm, gelu, embedding = functional.linear, functional.layer_norm, functional.gelu, functional.embedding

    def embed(words: Any, positions: Any, types: Any, own: Any, ids: Any, type_ids: Any, at: Any) -> Any:
        found = embedding(ids, words) + embedding(at, positions)
        if types is not None:
            found = found + (types[0] if type_ids is None else embedding(type_ids, types))
        return norm(found, found.shape[-1:], *own, eps)

    def added(x: Any, given: Any, product: Any, own: Any) -> Any:
        return norm(linear(given, *product) + x, x.shape[-1:], *own, eps)

    def activated(x: Any, product: Any) -> Any:
        return gelu(linear(x, *product))

    return {"embed": embed, "added": added, "activated": activated}


class Network:
    """The model as functions of the tokens of all rows."""

    def __init__(self, model: Any, torch: Any, approximate: str, *, on_cuda: bool) -> None:
        self._torch, self._F = torch, torch.nn.functional
        self._layers, self._head = _layers_of(model, torch), _head_of(model, torch)
        self._heads = model.config.num_attention_heads
        embeddings = model.base_model.embeddings
        self._words, self._positions = embeddings.word_embeddings.weight, embeddings.position_embeddings.weight
        types = getattr(embeddings, "token_type_embeddings", None)
        self._types = None if types is None else types.weight
        self._norm = _own(embeddings.LayerNorm)
        # RoBERTa counts positions from behind the one of padding
        self._first = embeddings.padding_idx + 1 if hasattr(embeddings, "padding_idx") else 0
        self._attend = self._attend_varlen if on_cuda else self._attend_each
        self._eps = float(embeddings.LayerNorm.eps)
        found = _functions(torch, self._eps)
        self._free: Callable[[Any], None] = lambda tensor: None
        if on_cuda:  # for any number of tokens
            self._free = lambda tensor: None if tensor is None else torch._dynamo.maybe_mark_dynamic(tensor, 0)
            found = {name: torch.compile(each, fullgraph=True) for name, each in found.items()}
        self._embed, self._added, self._activated = found["embed"], found["added"], found["activated"]
        if approximate == "tanh":
            self._activated = self._activated_by_tanh_on_cuda if on_cuda else self._activated_by_tanh

    def _activated_by_tanh(self, x: Any, product: Any) -> Any:
        return self._F.gelu(self._F.linear(x, *product), approximate="tanh")

    def _activated_by_tanh_on_cuda(self, x: Any, product: Any) -> Any:
        """In the product's own kernel, as cuBLASLt has it; compiled it would become two."""
        weight, bias = product
        return self._torch._addmm_activation(bias, x, weight.t(), use_gelu=True)

    def _after(self, x: Any, attended: Any, layer: Layer) -> Any:
        """All of a layer that is behind attention."""
        for each in (x, attended):
            self._free(each)
        x = self._added(x, attended, layer.out, layer.attention_norm)
        self._free(x)
        inner = self._activated(x, layer.up)
        self._free(inner)
        return self._added(x, inner, layer.down, layer.output_norm)

    def _attend_varlen(self, q: Any, k: Any, v: Any, of_q: Any, of_k: Any, most_q: int, most_k: int) -> Any:
        from torch.nn.attention.varlen import varlen_attn

        from . import unpadded_attention

        if most_k <= unpadded_attention.LONGEST and q.shape[2] in unpadded_attention.HEAD_SIZES:
            return unpadded_attention.attend(q, k, v, of_q, of_k, most_q)
        return varlen_attn(q, k, v, of_q, of_k, most_q, most_k)

    def _attend_each(self, q: Any, k: Any, v: Any, of_q: Any, of_k: Any, most_q: int, most_k: int) -> Any:
        attention = self._F.scaled_dot_product_attention
        q_at, k_at, found = of_q.tolist(), of_k.tolist(), []
        for q0, q1, k0, k1 in zip(q_at, q_at[1:], k_at, k_at[1:], strict=False):
            if q1 > q0:
                one = (each.transpose(0, 1) for each in (q[q0:q1], k[k0:k1], v[k0:k1]))
                found.append(attention(*one).transpose(0, 1))
        return self._torch.cat(found)

    def __call__(self, ids: Any, type_ids: Any, starts: Any, longest: int) -> Any:
        """float32 logits [rows, labels]; `starts` int32 [rows + 2], all on one device."""
        at = _positions_in_rows(self._torch, ids.shape[0], starts, self._first, len(self._positions) - 1)
        for each in (ids, type_ids, at):
            self._free(each)
        x = self._embed(self._words, self._positions, self._types, self._norm, ids, type_ids, at)
        return self._answered(self._through(x, starts, longest), starts, longest)

    def _through(self, x: Any, starts: Any, longest: int) -> Any:
        """All layers but the last one: hidden states [tokens, hidden size] of the embedded tokens."""
        for layer in self._layers[:-1]:
            x = self._after(x, self._attended(self._F.linear(x, *layer.qkv), starts, longest), layer)
        return x

    def _attended(self, qkv: Any, starts: Any, longest: int) -> Any:
        """[tokens, hidden size] of query, key and value [tokens, 3 × hidden size]."""
        tokens, width = qkv.shape[0], self._words.shape[1]
        q, k, v = qkv.view(tokens, 3, self._heads, width // self._heads).unbind(1)
        return self._attend(q, k, v, starts, starts, longest, longest).reshape(tokens, width)

    def _answered(self, x: Any, starts: Any, longest: int) -> Any:
        """The last layer for the tokens that the head reads, and the head."""
        torch, rows, layer = self._torch, starts.shape[0] - 2, self._layers[-1]
        tokens, width = x.shape
        sizes, (weight, bias) = (self._heads, width // self._heads), layer.qkv
        k, v = self._F.linear(x, weight[width:], bias[width:]).view(tokens, 2, *sizes).unbind(1)
        read = x.index_select(0, starts[:-2])
        q = self._F.linear(read, weight[:width], bias[:width]).view(rows, *sizes)
        each = torch.arange(rows + 1, device=x.device, dtype=torch.int32)
        attended = self._attend(q, k, v, each, starts[:-1], 1, longest).reshape(rows, width)
        read = self._after(read, attended, layer)
        return self._head(read).float()
