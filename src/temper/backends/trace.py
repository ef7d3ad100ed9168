"""What a backend executed, layer by layer, and the summary of it that a record keeps."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

QUANTIZED = ("INT8", "FP8", "INT4", "FP4")
EXPENSIVE_TYPES = 10  # how many the summary lists
LISTED_LAYERS = 10  # of those on another device: the rest is a number

_PRECISIONS = {
    "FP4": ("f4e2m1", "float4e2m1"),
    "INT4": ("i4", "u4", "int4", "uint4"),
    "FP8": ("f8e4m3", "f8e5m2", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "float8_e4m3fn"),
    "INT8": ("i8", "u8", "int8", "uint8", "qint8", "quint8"),
    "BF16": ("bf16", "bfloat16"),
    "FP16": ("f16", "fp16", "half", "float16"),
    "FP32": ("f32", "fp32", "float", "float32"),
    "FP64": ("f64", "double", "float64"),
    "BOOL": ("boolean",),
    "INT32": ("i32",),
    "INT64": ("i64",),
}
_PRECISION_OF = {spelling: precision for precision, spellings in _PRECISIONS.items() for spelling in spellings}
FLOATING_OR_QUANTIZED = frozenset(_PRECISIONS) - {"BOOL", "INT32", "INT64"}

# Types of layers by the names that the libraries give them: 'QLinearConv', but not 'Convert' nor 'QuantizeLinear'.
_PRODUCT = re.compile(
    r"matmul|gemm|conv(?!ert)|correlation|fullyconnected|matrixmultiply|innerproduct|attention|^mha$|(?<!quantize)linear$"
)
_PRODUCT_KERNEL = re.compile(r"gemm|_Fc(?=[A-Z_]|$)")  # a fused layer's type may not say what it holds
_CONVERSION = re.compile(r"^(dynamic|fake)?(de)?quantize|^cast|^convert|^reorder|^reformat|^memcpy")


def precision_name(datatype: str) -> str:
    """The field's name of a library's data type: 'f32', 'float' and 'float32' are FP32; 'int64' is INT64."""
    word = datatype.lower()
    return _PRECISION_OF.get(word, word.upper())


@dataclass(frozen=True)
class ExecutedLayer:
    """One layer that a backend executed; several nodes of the model may be fused into it."""

    name: str
    type: str  # as the library calls it
    precision: str  # what it computes in: INT8, FP8, FP16, FP32 …
    device: str  # or execution provider
    time_ms: float | None  # in one call, averaged over the calls; None where the library does not say
    kernel: str | None = None  # the library's name of the code that ran

    @property
    def is_product(self) -> bool:
        """Whether it is a matrix product or a convolution, or holds one."""
        if self.is_conversion:  # OpenVINO reorders for a product with a kernel of its name
            return False
        return bool(_PRODUCT.search(self.type.lower()) or _PRODUCT_KERNEL.search(self.kernel or ""))

    @property
    def is_conversion(self) -> bool:
        """Whether it does nothing but change its input's type or memory layout.

        A Transpose is none: most are the model's own, and no library tells those apart from its own.
        """
        return bool(_CONVERSION.search(self.type.lower())) and not _PRODUCT.search(self.type.lower())


@dataclass(frozen=True)
class Execution:
    """What was executed, in one call, and who says so."""

    source: str  # in words: "ONNX Runtime's profile"
    layers: tuple[ExecutedLayer, ...]
    elsewhere: tuple[str, ...] = ()  # layers on another device than asked, where the row allows it

    def summary(self) -> dict[str, Any]:
        """What a record keeps: counts, and shares (0–1) of the layers' summed time; None where no layer has a time.

        `products` counts executed matrix products and convolutions, and those of them that compute in 8 bits or fewer.
        """
        products = [layer for layer in self.layers if layer.is_product]
        return {
            "source": self.source,
            "layers": len(self.layers),
            "layers_by_precision": _counted(layer.precision for layer in self.layers),
            "layers_by_device": _counted(layer.device for layer in self.layers),
            "layers_elsewhere": {"total": len(self.elsewhere), "first": list(self.elsewhere[:LISTED_LAYERS])},
            "products": {
                "total": len(products),
                "quantized": sum(layer.precision in QUANTIZED for layer in products),
            },
            "products_by_precision": _counted(layer.precision for layer in products),
            "time_share_by_precision": self._shares(lambda layer: layer.precision),
            "conversion_time_share": self._share(lambda layer: layer.is_conversion),
            "product_time_share": self._share(lambda layer: layer.is_product),
            "most_expensive_types": self._most_expensive(),
        }

    @property
    def total_ms(self) -> float | None:
        """Time of all layers in one call; None where no layer has a time, or all are below the clock's resolution."""
        return sum(layer.time_ms or 0.0 for layer in self.layers) or None

    def _share(self, chosen: Callable[[ExecutedLayer], bool]) -> float | None:
        """Share (0–1) of the layers for which `chosen` is true; None without times."""
        shares = self._shares(lambda layer: str(chosen(layer)))
        return None if shares is None else shares.get("True", 0.0)

    def _shares(self, key: Callable[[ExecutedLayer], str]) -> dict[str, float] | None:
        """Share (0–1) of the time by a key of the layers, largest first; None without times."""
        total_ms = self.total_ms
        if total_ms is None:
            return None
        times_ms: defaultdict[str, float] = defaultdict(float)
        for layer in self.layers:
            if layer.time_ms is not None:
                times_ms[key(layer)] += layer.time_ms
        return {
            name: round(time_ms / total_ms, 4)
            for name, time_ms in sorted(times_ms.items(), key=lambda entry: (-entry[1], entry[0]))
        }

    def _most_expensive(self) -> list[dict[str, Any]]:
        """Types of layers with their kernel, number and share of the time, dearest first; empty without times."""
        total_ms = self.total_ms
        if total_ms is None:
            return []
        groups: defaultdict[tuple[str, str | None], list[float]] = defaultdict(list)
        for layer in self.layers:
            if layer.time_ms is not None:
                groups[layer.type, layer.kernel].append(layer.time_ms)
        dearest = sorted(groups.items(), key=lambda entry: (-sum(entry[1]), entry[0][0], entry[0][1] or ""))
        return [
            {"type": kind, "kernel": kernel, "layers": len(times), "time_share": round(sum(times) / total_ms, 4)}
            for (kind, kernel), times in dearest[:EXPENSIVE_TYPES]
        ]


def _counted(words: Iterable[str]) -> dict[str, int]:
    """How often each word occurs, sorted by word."""
    return dict(sorted(Counter(words).items()))
