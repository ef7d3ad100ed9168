"""A GPT-2 whose rows hold several texts, through the real commands: it is measured and answers as the padded one."""

import json

import numpy as np
import pytest

from tests.workflow.conftest import StudyFolder

PADDED, PACKED = ("torch-fp32", "ort-fp32"), ("ort-packed", "openvino-packed", "ort-packed-fp16")
WORKLOADS = ["b8-arrival"]


def of_packed_rows(study: StudyFolder) -> None:
    study.set(
        model__model_type="gpt2",
        model__config={"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 32},
        train__epochs=3,
        train__learning_rate=0.003,
        precisions={
            "packed": {"step": "pack_rows", "onnx": "fp32", "row_tokens": 48},
            "packed-fp16": {"step": "fp16", "onnx": "packed", "keep_in_fp32": []},
        },
        calibrations={},
        calibrated_precisions={},
        engines={},
        buckets={},
        workloads={"b8-arrival": {"batch_size": 8, "real_lengths": "arrival"}},
        analysis__latency_margin=0.99,
        candidates={
            "harness": {"backend": "harness", "loads": "checkpoint", "workloads": WORKLOADS},
            "torch-fp32": {"backend": "pytorch-cpu", "loads": "checkpoint", "workloads": WORKLOADS},
            "ort-fp32": {"backend": "ort-cpu", "loads": "onnx/fp32", "workloads": WORKLOADS},
            "ort-packed": {"backend": "ort-cpu", "loads": "onnx/packed", "workloads": WORKLOADS},
            "openvino-packed": {"backend": "openvino-cpu", "loads": "onnx/packed", "workloads": WORKLOADS},
            "ort-packed-fp16": {"backend": "ort-cpu", "loads": "onnx/packed-fp16", "workloads": WORKLOADS},
        },
    )


def logits(study: StudyFolder, candidate: str) -> np.ndarray:
    record = json.loads((study / f"artifacts/measurements/{candidate}.json").read_text())
    return np.asarray(record["accuracy"]["by_batch_size"]["8"]["logits"])


@pytest.mark.long
def test_a_decoder_on_packed_rows_is_measured_and_answers_as_the_padded_one(fresh):
    of_packed_rows(fresh)
    fresh.snakemake()
    reference = logits(fresh, "torch-fp32")
    span = np.ptp(reference)
    assert span > 0.1
    for candidate in (*PADDED, *PACKED):
        allowed = 0.01 if candidate.endswith("fp16") else 1e-4
        assert np.abs(logits(fresh, candidate) - reference).max() < allowed * span, candidate
    compared = json.loads((fresh / "artifacts/report/comparison.json").read_text())["candidates"]
    for candidate in ("ort-packed", "openvino-packed"):
        assert compared[candidate]["accuracy"]["against_baseline"]["labels_differing"] == 0
