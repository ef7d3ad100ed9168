"""How a candidate runs in a package: its library, and how calls are shaped."""

import json
from pathlib import Path

from temper.backends.packaged import unsupported
from temper.errors import ConfigError
from temper.measurement.record import Record, Workload
from temper.package.runtime_at import NOTHING_WRITTEN, Runtime, runtime_at
from temper.report.finished import Finished


def _other(finished: Finished, workload: str) -> str:
    """What to do where a candidate cannot be packaged: the fastest within the budget that can be, by its name."""
    excluded = finished.decision.workloads[workload].excluded
    able = {
        name: finished.comparison.candidates[name].workloads[workload].taken.ratio
        for name in finished.candidates
        if name not in excluded and unsupported(finished.record(name).backend) is None
    }
    if able:
        return f"--candidate {min(able, key=lambda name: able[name])}: the fastest within the budget that a package can run"
    return (
        "name a candidate on OpenVINO, ONNX Runtime's CPU provider, TensorRT-RTX, or eager or unpadded PyTorch with --candidate; "
        "where its verdict speaks against it, --anyway packages it all the same"
    )


def runtime_of(finished: Finished, record: Record, workload: str) -> Runtime:
    """How a candidate runs in a package.

    Args:
        finished: the study's report.
        record: of the candidate.
        workload: whose other candidates are named where it cannot be packaged.

    Raises:
        ConfigError: it runs in a way that the runtime of a package does not know.
        LibraryError: another version of its library is installed than it was measured with.
    """
    backend, name = record.backend, record.candidate
    assert record.artifact is not None
    signature = Path("artifacts", record.artifact.loads, "signature.json")
    lacking = unsupported(backend, json.loads(signature.read_text(encoding="utf-8"))["padding_side"])
    if lacking is not None:
        raise ConfigError(
            asked=f"package {name}",
            happened=lacking,
            affected=NOTHING_WRITTEN,
            fix=_other(finished, workload),
        )
    assert record.ran is not None  # of a candidate whose accuracy was measured
    sizes = {
        int(record.measurement["accuracy_batch_size"]),
        *(workload.batch_size for workload in record.workloads.values() if isinstance(workload, Workload)),
    }
    return runtime_at(backend, str(record.ran["version"]), sizes, asked=f"package {name} as it was measured")
