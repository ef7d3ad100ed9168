import pytest

from temper.errors import PrecisionNotActive
from temper.load_test.record import load_test
from tests.tiny_study import SEED
from tests.unit.backends.test_runner import CPU


def test_int8_is_only_said_of_what_shows_it(tiny_study, tmp_path):
    _, options = CPU["onnxruntime"]
    with pytest.raises(PrecisionNotActive, match="call ort-int8-offline and fp32 INT8"):
        load_test(
            name="ort-int8-offline",
            row={"backend": "ort", "loads": "onnx/fp32", "workload": "b2"},
            backend={"runner": "onnxruntime", "version": "installed", "gpus": 0, "options": options},
            library_version="installed",
            workload={"batch_size": 2, "sequence_length": 8},
            distinct_batches=2,
            seed=SEED,
            artifact=str(tiny_study.fp32),
            data_folder=str(tiny_study.data),
            quiet={"busy_share": 1.0, "quiet_wait_s": 0.0},
            record=str(tmp_path / "record.json"),
            source_digest="s",
        )
    assert not (tmp_path / "record.json").exists()
