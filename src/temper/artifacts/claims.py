"""What may be said: 'INT8' and 'FP8' only of what shows it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from temper.artifacts.census import Census
from temper.errors import PrecisionNotActive

CLAIMED = ("INT8", "FP8")  # precisions that a name can claim
# 'rtx-int8', 'int8_static', 'ort.int8.entropy', 'b1int8', 'fp8e4m3'; neither 'uint8' nor 'point8' nor 'int80'
_TOKEN = re.compile(r"(?<![a-z])(int8|fp8)(?!\d)", re.IGNORECASE)


def claimed_precisions(names: Iterable[str]) -> tuple[str, ...]:
    """Precisions that names of rows claim, out of `CLAIMED`, each once."""
    found = {token.upper() for name in names for token in _TOKEN.findall(name)}
    return tuple(precision for precision in CLAIMED if precision in found)


def check_claim(
    names: Iterable[str],
    *,
    census: Census | Mapping[str, Any] | None = None,
    layers_by_precision: Mapping[str, int] | None = None,
    executed: Mapping[str, Any] | None = None,
) -> None:
    """Refuse names that claim a precision which nothing shows.

    Every piece of evidence that is given must show it; where none is given, none shows it.

    Args:
        names: of the candidate and of the artifact's row, such as ('rtx-int8', 'int8').
        census: of the ONNX file it loads; a record's own copy will do.
        layers_by_precision: of the engine it loads, as engine.json has them.
        executed: what was executed: `Execution.summary()`.

    Raises:
        PrecisionNotActive: a name claims INT8 or FP8, and a piece of evidence has no such product (an engine: layer).
    """
    names = tuple(filter(None, names))
    file = Census.model_validate(census) if census is not None else None
    products: Mapping[str, int] | None = executed["products_by_precision"] if executed is not None else None
    for precision in claimed_precisions(names):
        lacking = []
        if file is not None and not _quantized_in(file, precision):
            lacking.append(
                f"of {file.total} products in the ONNX file {file.quantized} are quantised "
                f"({_listed(file.by_precision)}; {file.weight_only} have only their weight quantised)"
            )
        if layers_by_precision is not None and not layers_by_precision.get(precision):
            lacking.append(f"the engine's layers are {_listed(layers_by_precision)}")
        if products is not None and not products.get(precision):
            lacking.append(f"the products that were executed are {_listed(products)}")
        if file is None and layers_by_precision is None and products is None:
            lacking.append("neither an ONNX file nor an engine nor an execution shows its precision")
        if lacking:
            raise PrecisionNotActive(
                asked=f"call {' and '.join(names)} {precision}",
                happened="; ".join(lacking),
                affected=f"this row: its latency and accuracy would stand under {precision}, which did not run",
                fix=f"quantise the model's products for a backend that runs them in {precision}, "
                f"or take {precision.lower()} out of the row's name in params.yaml",
            )


def check_engine(name: str, *, census: Census, layers_by_precision: Mapping[str, int]) -> None:
    """Refuse an engine that is quantised in name only: its ONNX file holds quantised products, its layers none.

    An engine whose library lists no layers at all passes: nothing is known of it. `check_claim` refuses it a name.

    Args:
        name: of the engine's row.
        census: of the ONNX file it was built from.
        layers_by_precision: its own layers, as its builder or inspector lists them.

    Raises:
        PrecisionNotActive: the file's products are INT8 or FP8, and the engine has no layer in that precision.
    """
    for precision in CLAIMED if layers_by_precision else ():
        wanted = _quantized_in(census, precision)
        if wanted and not layers_by_precision.get(precision):
            raise PrecisionNotActive(
                asked=f"build the engine {name} from an ONNX file with {wanted} {precision} products of {census.total}",
                happened=f"it is {precision} in name only: its layers are {_listed(layers_by_precision)}",
                affected="this engine and what is measured on it",
                fix="set another version or ONNX row in the engine's row, or drop the row from params.yaml",
            )


def _quantized_in(census: Census, precision: str) -> int:
    """Products of the file that compute in an 8-bit precision: they are there only where they are quantised."""
    return census.by_precision.get(precision, 0) if census.quantized else 0


def _listed(counts: Mapping[str, int]) -> str:
    """'3 FP32, 1 INT8', or 'none'."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
