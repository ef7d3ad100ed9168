"""SmoothQuant alone (Xiao et al. 2023): each channel's outliers move from activations into weights, then minmax ranges.

By NNCF, without the bias correction of the method `nncf`.
"""

from collections.abc import Sequence
from typing import Annotated

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict, Field

from temper.artifacts.signature import Tensors
from temper.quantization.calibration import nncf
from temper.quantization.calibration.cache import Collected

LIBRARIES = nncf.LIBRARIES
ROWS_SHARE_CALLS = nncf.ROWS_SHARE_CALLS


class Options(BaseModel):
    """`calibration_methods.smooth_quant`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    alpha: Annotated[float, Field(ge=0, le=1)]  # share of the outliers' weight that goes into the weights


def collect(model: ModelProto, batches: Sequence[Tensors], options: Options) -> Collected:
    """Smooth and quantise a copy of the model over the batches, symmetrically, and read the ranges from it."""
    own = nncf.Options(
        preset="performance", model_type="transformer", fast_bias_correction=True, smooth_quant_alpha=options.alpha
    )
    return nncf.quantize(model, batches, own, correct_biases=False)
