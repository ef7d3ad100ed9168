import pytest
from pydantic import ValidationError

from temper.measurement.record import write_record
from tests.records import record, workload


def test_not_a_number_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="finite number"):
        write_record(tmp_path / "a.json", record("a", latencies_ms=[float("nan")]))
    assert list(tmp_path.iterdir()) == []


def test_a_workload_needs_every_figure():
    with pytest.raises(ValidationError, match="latencies_ms"):
        type(workload([1.0])).model_validate({**workload([1.0]).model_dump(exclude={"latencies_ms"})})
