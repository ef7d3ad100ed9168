"""The sections of one tiny study, and its artifacts: 120 synthetic rows, a DistilBERT of one layer, one epoch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temper.artifacts.signature import Signature
from temper.data.encoded import collate, read_split
from temper.data.prepare import prepare_data
from temper.export.to_onnx import export_onnx
from temper.quantization.calibration.calibrate import calibrate
from temper.training.checkpoint import make_checkpoint
from temper.transforms.convert import convert_precision

SEED, TEST_ROWS, MAX_TOKENS = 3, 21, 24
DATA: dict[str, Any] = {
    "source": "synthetic",
    "train_rows": 120,
    "test_rows": TEST_ROWS,
    "label_noise": 0.0,
    "validation_rows": 24,
    "calibration_rows": 16,
    "max_tokens": MAX_TOKENS,
}
ARCHITECTURE = {"dim": 16, "hidden_dim": 32, "n_layers": 1, "n_heads": 2, "max_position_embeddings": MAX_TOKENS}
MODEL: dict[str, Any] = {
    "task": "text-classification",
    "source": "architecture",
    "model_type": "distilbert",
    "config": {**ARCHITECTURE, "initializer_range": 0.3},  # logits large enough to differ between rows
    "preprocessor": {"kind": "tokenizer", "algorithm": "bpe", "vocabulary_size": 300},
}
TRAIN: dict[str, Any] = {
    "method": "fine_tune",
    "device": "cpu",
    "precision": "float32",
    "threads": 1,
    "epochs": 1,
    "batch_size": 32,
    "learning_rate": 1.0e-3,
    "weight_decay": 0.01,
    "warmup_share": 0.1,
    "early_stopping_patience": None,
}
EXPORT: dict[str, Any] = {"opset": 20, "max_logit_difference": 1.0e-3}
METHODS: dict[str, dict[str, Any]] = {
    "minmax": {},
    "moving_average": {"constant": 0.1},
    "entropy": {"bins": 512, "quantized_bins": 128},
    "percentile": {"bins": 2048, "percentile": 99.0},
    "nncf": {
        "preset": "performance",
        "model_type": "transformer",
        "fast_bias_correction": True,
        "smooth_quant_alpha": 0.95,
    },
}
SAMPLES = 8
STATIC = {
    "per_channel": True,
    "symmetric_activations": True,
    "quantize_bias": False,
    "quantize_outputs": True,
    "keep_in_float": [],
}


@dataclass(frozen=True)
class TinyStudy:
    """Folders of the artifacts. Copy one before you alter it."""

    data: Path
    checkpoint: Path
    fp32: Path
    calibration: dict[str, Path]
    precision: dict[str, Path]

    @property
    def signature(self) -> Signature:
        return Signature.model_validate_json((self.data / "signature.json").read_text())

    def inputs(self, rows: list[int], *, length: int | None = None) -> dict[str, np.ndarray]:
        """A batch of test rows."""
        split = read_split(self.data / "test.parquet", self.signature)
        return dict(collate(split, rows, self.signature, sequence_length=length))


def folders(root: Path) -> TinyStudy:
    """Where `make(root)` puts the artifacts."""
    return TinyStudy(
        data=root / "data",
        checkpoint=root / "checkpoint",
        fp32=root / "onnx/fp32",
        calibration={method: root / "calibration" / method for method in METHODS},
        precision={name: root / "onnx" / name for name in ("fp16", "int8_dynamic", "int8_static", "int8_nncf")},
    )


def make(root: Path) -> None:
    """Every artifact of the study, below `root`."""
    study = folders(root)
    data, fp32 = str(study.data), str(study.fp32)
    prepare_data(data=DATA, model=MODEL, seed=SEED, folder=data)
    make_checkpoint(model=MODEL, train=TRAIN, seed=SEED, data_folder=data, folder=str(study.checkpoint))
    export_onnx(checkpoint_folder=str(study.checkpoint), data_folder=data, folder=fp32, row=EXPORT, external_data=False)
    for method, options in METHODS.items():
        calibrate(
            onnx_folder=fp32,
            data_folder=data,
            folder=str(study.calibration[method]),
            row={"method": method, "samples": SAMPLES, "rows": "drawn", "onnx": "fp32"},
            options=options,
            seed=SEED,
        )
    for name, (step, method, options) in {
        "fp16": ("fp16", None, {"keep_in_fp32": []}),
        "int8_dynamic": ("int8_dynamic", None, {"per_channel": True}),
        "int8_static": ("int8_static", "minmax", STATIC),
        "int8_nncf": ("int8_static", "nncf", STATIC),
    }.items():
        convert_precision(
            onnx_folder=fp32,
            calibration_folder=None if method is None else str(study.calibration[method]),
            search_folder=None,
            folder=str(study.precision[name]),
            step=step,
            options=options,
            external_data=False,
        )
