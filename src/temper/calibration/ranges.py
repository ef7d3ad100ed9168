"""Activation ranges by ONNX Runtime's calibrators: the part that minmax, entropy and percentile share."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnx import ModelProto

from temper.calibration.cache import BatchReader, Collected
from temper.onnx_file import QUANTIZABLE
from temper.signature import Tensors


def collect_ranges(
    model: ModelProto, batches: Sequence[Tensors], *, method: str, settings: dict[str, Any]
) -> Collected:
    """Run the model over the batches and keep a range for every tensor around a product (MatMul, Gemm, Conv).

    Args:
        model: FP32 model with its weights.
        batches: inputs, one call each.
        method: name of a member of ONNX Runtime's CalibrationMethod.
        settings: its `extra_options`.
    """
    from onnxruntime.quantization import CalibrationMethod
    from onnxruntime.quantization.calibrate import create_calibrator

    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "model.onnx"
        import onnx

        copy = ModelProto()
        copy.CopyFrom(model)  # saving with external data moves the weights out of the model in memory
        onnx.save(copy, str(source), save_as_external_data=True, location="model.onnx.data")
        calibrator = create_calibrator(
            str(source),
            list(QUANTIZABLE),
            augmented_model_path=str(Path(scratch) / "augmented.onnx"),
            calibrate_method=CalibrationMethod[method],
            use_external_data_format=True,
            extra_options=settings,
        )
        for batch in batches:  # one by one: activations are reduced at once, and lengths may differ
            calibrator.collect_data(BatchReader([batch]))
        found = calibrator.compute_data()
    ranges = {}
    for name in sorted(found.keys()):
        low, high = found[name].range_value
        ranges[name] = (
            float(low.item() if hasattr(low, "item") else low),
            float(high.item() if hasattr(high, "item") else high),
        )
    return Collected(ranges, None)
