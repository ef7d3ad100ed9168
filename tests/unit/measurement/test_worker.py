import subprocess
import sys

import numpy as np
import pytest

from temper.measurement.timed_inputs import TimedInputs
from temper.measurement.worker import _timed
from tests.tiny_study import TEST_ROWS


def test_padding_is_told_of_the_inputs_and_of_what_the_runner_makes_of_them(fake_runner):
    batches = [{"input_ids": np.zeros((2, length))} for length in (8, 16)]
    inputs = TimedInputs(batches, [2, 2], 0.25, "digest", [(2, 8), (2, 16)])
    runner = fake_runner()
    assert _timed(inputs, runner) == {
        "padding_share": 0.25,
        "computed_padding_share": pytest.approx(0.25),
        "inputs_sha256": "digest",
    }
    runner.computed_sizes = lambda sizes: (4, 16)  # an engine of one shape
    assert _timed(inputs, runner)["computed_padding_share"] == pytest.approx(1 - 0.75 * (16 + 32) / (2 * 64))


def test_a_worker_that_has_read_its_rows_has_imported_nothing_that_costs_half_a_second(tiny_study):
    """Two workers are started for each candidate, and each would wait for it."""
    program = f"""
import sys
from pathlib import Path
import temper.measurement.measure, temper.measurement.worker
from temper.data.encoded import read_split
from temper.artifacts.signature import Signature
data = Path({str(tiny_study.data)!r})
signature = Signature.model_validate_json((data / "signature.json").read_text())
assert len(read_split(data / "test.parquet", signature)) == {TEST_ROWS}
print(sorted(set(sys.modules) & {{"pandas", "pyarrow.dataset", "scipy.stats", "scipy.optimize", "torch", "snakemake"}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stdout + done.stderr
