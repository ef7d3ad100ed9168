"""A row of `quantization_aware:`. Planning reads it, so nothing heavy is imported here."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from temper.study.refusal import params_error


class QuantizationAwareRow(BaseModel):
    """An INT8 ONNX file out of the checkpoint, fine-tuned with fake quantisation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    onnx: str  # the row of exports: its opset, its layers
    calibration: str  # the ranges of what they read: they stay as they are
    device: Literal["cpu", "cuda"]
    threads: PositiveInt  # intra-op threads: another number adds in another order, and gives other bytes
    steps: PositiveInt  # of the optimiser
    batch_size: PositiveInt
    learning_rate: PositiveFloat  # at the first step; falls linearly to 0
    steps_per_log: PositiveInt  # steps whose mean loss is one number of the manifest
    keep_in_float: tuple[str, ...]  # layers (docs/quantising.md says where their names are listed)
    max_logit_difference: PositiveFloat  # of the file from the network that was trained


def check_calibration(place: str, row: QuantizationAwareRow, calibrated: str) -> None:
    """A row's calibration holds the ranges of the very file whose layers are trained.

    Args:
        place: the row's place in params.yaml.
        row: its content.
        calibrated: the ONNX row that its calibration is of.

    Raises:
        ConfigError: they are of another file.
    """
    if calibrated != row.onnx:
        raise params_error(
            f"{place} trains the layers of onnx/{row.onnx}, but its calibration {row.calibration!r} holds the ranges of "
            f"onnx/{calibrated}",
            f"set {place}.onnx to the row that is calibrated, or calibrate onnx/{row.onnx}",
        )
