"""What the tasks of a measurement's processes share, on the tiny study's artifacts."""

import numpy as np
import pytest

from temper.errors import ArtifactError, BackendError
from temper.measurement.task import Lost, each_workload, open_side, read_data
from tests.tiny_study import SEED, TEST_ROWS

WORKLOADS = {
    "fixed": {"batch_size": 2, "sequence_length": 16},
    "real": {"batch_size": 4, "real_lengths": "arrival"},
}


@pytest.fixture
def request_of(tiny_study):
    measurement = {"distinct_batches": 3}
    return {"data_folder": str(tiny_study.data), "workloads": WORKLOADS, "measurement": measurement, "seed": SEED}


def test_the_test_rows_are_read_with_their_signature(tiny_study, request_of):
    split, signature = read_data(request_of)
    assert len(split) == TEST_ROWS
    assert signature == tiny_study.signature


def test_a_folder_without_rows_is_an_error(request_of, tmp_path, tiny_study):
    (tmp_path / "signature.json").write_text((tiny_study.data / "signature.json").read_text())
    with pytest.raises(ArtifactError, match=r"test\.parquet"):
        read_data({**request_of, "data_folder": str(tmp_path)})


def test_inputs_of_each_workload_are_made_in_turn_and_equal_for_every_candidate(request_of):
    split, signature = read_data(request_of)
    found = dict(each_workload(request_of, split, signature))
    assert list(found) == ["fixed", "real"]
    assert [batch["input_ids"].shape for batch in found["fixed"].batches] == [(2, 16)] * 3
    assert sum(found["real"].samples) == TEST_ROWS
    again = dict(each_workload(request_of, split, signature))
    assert {name: inputs.sha256 for name, inputs in again.items()} == {n: inputs.sha256 for n, inputs in found.items()}
    other = next(each_workload({**request_of, "seed": SEED + 1}, split, signature))
    assert other[1].sha256 != found["fixed"].sha256
    turns = each_workload({**request_of, "workloads": {"fixed": WORKLOADS["fixed"], "none": {}}}, split, signature)
    assert next(turns)[0] == "fixed"  # the second, which cannot be made, has not been begun


def test_a_side_is_the_runner_of_its_row(tiny_study):
    side = {"runner": "null", "artifact": str(tiny_study.fp32), "options": {}, "version": "installed"}
    with open_side(side) as runner:
        assert np.asarray(runner.infer(tiny_study.inputs([0, 1]))).shape == (2, 2)


def error(happened):
    return BackendError(asked="run", happened=happened, affected="this", fix="none")


def test_a_workload_without_room_is_noted_and_the_others_go_on(capsys):
    lost = Lost(["small", "large"])
    with lost.unless_out_of_memory("small"):
        pass
    with lost.unless_out_of_memory("large"):
        raise error("CUDA: out of memory")
    assert lost.reasons == {"large": "CUDA: out of memory"}
    assert "large: out of memory: CUDA: out of memory" in capsys.readouterr().out


def test_another_error_is_no_lack_of_memory():
    lost = Lost(["small", "large"])
    with pytest.raises(BackendError, match="illegal instruction"), lost.unless_out_of_memory("small"):
        raise error("illegal instruction")
    assert lost.reasons == {}


def test_where_no_workload_has_room_the_error_goes_on():
    lost = Lost(["small", "large"])
    with lost.unless_out_of_memory("large"):
        raise MemoryError
    with pytest.raises(MemoryError), lost.unless_out_of_memory("small"):
        raise MemoryError
    assert set(lost.reasons) == {"small", "large"}
