"""Products in FP8 of rows that lie end to end: E4M3 on both sides, a scale for each token and for each output.

Scales of tokens come from the tokens themselves, in the kernel that writes them (normalisation, GELU), so that nothing is
calibrated. Attention, the product behind it and the whole last layer, which the head reads, stay in BF16.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .unpadded_network import Network

LARGEST = 448.0  # of float8_e4m3fn (https://arxiv.org/abs/2209.05433)
OLDEST = (8, 9)  # compute capability whose tensor cores multiply E4M3
_SMALLEST = 1e-12  # of what a scale comes from: a row of zeros has one, too


def quantized(x: Any, torch: Any) -> tuple[Any, Any]:
    """Rows in E4M3, and what each was divided by.

    Args:
        x: of any float dtype [rows, features].
        torch: the module.

    Returns:
        float8_e4m3fn [rows, features], and float32 [rows, 1].
    """
    exact = x.float()
    scale = exact.abs().amax(1, keepdim=True).clamp(min=_SMALLEST) / LARGEST
    return (exact / scale).to(torch.float8_e4m3fn), scale


@dataclass(frozen=True)
class _Product:
    """Weight float8_e4m3fn [outputs, inputs], its scales float32 [1, outputs], bias [outputs]."""

    weight: Any
    scale: Any
    bias: Any

    @classmethod
    def of(cls, own: tuple[Any, Any], torch: Any) -> "_Product":
        weight, scale = quantized(own[0], torch)
        return cls(weight, scale.t().contiguous(), own[1])


@dataclass(frozen=True)
class _Products:
    """Of one layer."""

    qkv: _Product
    up: _Product
    down: _Product


class Fp8Network(Network):
    """The model as functions of the tokens of all rows; on the CPU, for tests, the same numbers are multiplied in float32."""

    def __init__(self, model: Any, torch: Any, *, on_cuda: bool) -> None:
        super().__init__(model, torch, "tanh", on_cuda=on_cuda)
        self._products = [
            _Products(*(_Product.of(own, torch) for own in (layer.qkv, layer.up, layer.down)))
            for layer in self._layers[:-1]
        ]
        self._quantized: Callable[[Any], tuple[Any, Any]]
        self._activated_fp8: Callable[[Any], tuple[Any, Any]]
        self._normed: Callable[[Any, Any, tuple[Any, Any]], tuple[Any, Any, Any]]
        if on_cuda:
            from . import unpadded_fp8_kernels as kernels

            self._quantized = torch.compile(lambda x: quantized(x, torch), fullgraph=True)
            self._activated_fp8 = lambda product: kernels.activated(product, LARGEST, _SMALLEST)
            self._normed = lambda x, product, own: kernels.normed(x, product, own, self._eps, LARGEST, _SMALLEST)
        else:
            self._quantized = lambda x: quantized(x, torch)
            self._activated_fp8 = lambda product: quantized(self._F.gelu(product.float(), approximate="tanh"), torch)
            self._normed = self._normed_in_float
        self._multiplied = self._multiplied_on_cuda if on_cuda else self._multiplied_in_float

    def _multiplied_on_cuda(self, x: Any, scale: Any, product: _Product) -> Any:
        return self._torch._scaled_mm(
            x,
            product.weight.t(),
            scale_a=scale,
            scale_b=product.scale,
            bias=product.bias,
            out_dtype=self._torch.bfloat16,
            use_fast_accum=True,
        )

    def _multiplied_in_float(self, x: Any, scale: Any, product: _Product) -> Any:
        weight = product.weight.float() * product.scale.t()
        return self._F.linear(x.float() * scale, weight, product.bias.float()).to(product.bias.dtype)

    def _normed_in_float(self, x: Any, product: Any, own: tuple[Any, Any]) -> tuple[Any, Any, Any]:
        weight, bias = own
        found = self._F.layer_norm(product.float() + x.float(), x.shape[-1:], weight.float(), bias.float(), self._eps)
        return found.to(x.dtype), *quantized(found, self._torch)

    def _through(self, x: Any, starts: Any, longest: int) -> Any:
        self._free(x)
        x8, scale = self._quantized(x)
        for layer, products in zip(self._layers[:-1], self._products, strict=True):
            attended = self._attended(self._multiplied(x8, scale, products.qkv), starts, longest)
            x, x8, scale = self._normed(x, self._F.linear(attended, *layer.out), layer.attention_norm)
            x8, scale = self._activated_fp8(self._multiplied(x8, scale, products.up))
            x, x8, scale = self._normed(x, self._multiplied(x8, scale, products.down), layer.output_norm)
        return x
