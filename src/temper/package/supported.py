"""What the runtime of a package can do as it was measured: all else is refused by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from temper.backends.onnxruntime import LIBRARY as ONNX_RUNTIME
from temper.backends.openvino import LIBRARY as OPENVINO
from temper.environment.library import Library, installed_version, public_version
from temper.errors import ConfigError, LibraryError
from temper.measurement.record import Record, Workload
from temper.measurement.timed_inputs import PAD_TO_MULTIPLE_OF
from temper.package.select import CPU, NOTHING_WRITTEN
from temper.report.finished import Finished

RUNNERS: dict[str, Library] = {"onnxruntime": ONNX_RUNTIME, "openvino": OPENVINO}


@dataclass(frozen=True)
class Runtime:
    """The library that a package's model runs on, and how its calls are shaped.

    Attributes:
        runner: 'onnxruntime' or 'openvino'.
        distribution, version: of the library, as it was measured and as it is installed.
        options: of the backend's row.
        pad_to_multiple_of: tokens; 1 where any length is taken.
        batch_sizes: ascending, where calls have to have one of these; else empty.
    """

    runner: str
    distribution: str
    version: str
    options: Mapping[str, Any]
    pad_to_multiple_of: int
    batch_sizes: tuple[int, ...]


def _unsupported(backend: Mapping[str, Any]) -> str | None:
    """What of a backend's row the runtime does not do, in words; None where it does all."""
    runner, options = backend["runner"], backend["options"]
    if runner not in RUNNERS:
        return f"its runner is {runner}; the runtime of a package has {' and '.join(RUNNERS)}"
    provider = options.get("execution_provider", CPU)
    if provider != CPU:
        return f"its execution_provider is {provider}; the runtime of a package has {CPU}"
    return None


def _other(finished: Finished, workload: str) -> str:
    """What to do where a candidate cannot be packaged: the fastest within the budget that can be, by its name."""
    excluded = finished.decision["workloads"][workload]["excluded"]
    able = {
        name: finished.comparison["candidates"][name]["workloads"][workload]["ratio"]
        for name in finished.candidates
        if name not in excluded and _unsupported(finished.record(name).backend) is None
    }
    if able:
        return f"--candidate {min(able, key=lambda name: able[name])}: the fastest within the budget that a package can run"
    return (
        "name a candidate on OpenVINO or on ONNX Runtime's CPU provider with --candidate; where its verdict speaks against "
        "it, --anyway packages it all the same"
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
    lacking = _unsupported(backend)
    if lacking is not None:
        raise ConfigError(
            asked=f"package {name}",
            happened=lacking,
            spoiled=NOTHING_WRITTEN,
            fix=_other(finished, workload),
        )
    library = RUNNERS[backend["runner"]]
    assert record.ran is not None  # of a candidate whose accuracy was measured
    measured, here = str(record.ran["version"]), installed_version(library)
    if here is None or public_version(here) != public_version(measured):
        raise LibraryError(
            asked=f"package {name} as it was measured, with {library.title} {measured}",
            happened=f"this environment holds {here or 'none'}",
            spoiled=NOTHING_WRITTEN,
            fix="finish the study with what is installed here, or package it where it was measured",
        )
    static = backend["options"].get("shapes") == "static"
    sizes = {
        int(record.measurement["accuracy_batch_size"]),
        *(workload.batch_size for workload in record.workloads.values() if isinstance(workload, Workload)),
    }
    distribution = next(one for one in library.distributions if installed_version(Library("", (one,), "")) is not None)
    return Runtime(
        runner=backend["runner"],
        distribution=distribution,
        version=public_version(here),
        options=backend["options"],
        pad_to_multiple_of=PAD_TO_MULTIPLE_OF if static else 1,
        batch_sizes=tuple(sorted(sizes)) if static else (),
    )
