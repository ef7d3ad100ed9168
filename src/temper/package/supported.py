"""How a candidate runs in a package: its library, and how calls are shaped."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.backends.packaged import RUNNERS, unsupported
from temper.environment.library import Library, installed_version, public_version
from temper.errors import ConfigError, LibraryError
from temper.measurement.record import Record, Workload
from temper.measurement.timed_inputs import PAD_TO_MULTIPLE_OF
from temper.package.select import NOTHING_WRITTEN
from temper.report.finished import Finished

BESIDE: dict[str, tuple[str, ...]] = {  # distributions that a runner needs beside its library's own
    "pytorch": ("transformers", "safetensors"),
    "tensorrt_rtx": ("cuda-bindings",),
}
PREPARES_SHAPES = ("openvino",)  # kernels are made ready for each shape, and a few dozen shapes are kept


@dataclass(frozen=True)
class Runtime:
    """The library that a package's model runs on, and how its calls are shaped.

    Attributes:
        runner: of RUNNERS.
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

    @property
    def served_multiple_of(self) -> int:
        """Tokens to whose multiples a server pads, as sentences of real lengths were timed where a new shape costs."""
        return max(self.pad_to_multiple_of, PAD_TO_MULTIPLE_OF if self.runner in PREPARES_SHAPES else 1)


def _other(finished: Finished, workload: str) -> str:
    """What to do where a candidate cannot be packaged: the fastest within the budget that can be, by its name."""
    excluded = finished.decision["workloads"][workload]["excluded"]
    able = {
        name: finished.comparison["candidates"][name]["workloads"][workload]["ratio"]
        for name in finished.candidates
        if name not in excluded and unsupported(finished.record(name).backend) is None
    }
    if able:
        return f"--candidate {min(able, key=lambda name: able[name])}: the fastest within the budget that a package can run"
    return (
        "name a candidate on OpenVINO, ONNX Runtime's CPU provider, TensorRT-RTX or eager PyTorch with --candidate; where its "
        "verdict speaks against it, --anyway packages it all the same"
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


def runtime_at(backend: Mapping[str, Any], version: str, sizes: Collection[int], *, asked: str) -> Runtime:
    """The runtime of a backend that a package can run on, at the version that is installed.

    Args:
        backend: its row.
        version: that the library has to have.
        sizes: rows of the calls that were measured.
        asked: what it is for, in an error's words.

    Raises:
        LibraryError: another version is installed.
    """
    library = RUNNERS[backend["runner"]]
    here = installed_version(library)
    if here is None or public_version(here) != public_version(version):
        raise LibraryError(
            asked=f"{asked}, with {library.title} {version}",
            happened=f"this environment holds {here or 'none'}",
            affected=NOTHING_WRITTEN,
            fix="finish the study with what is installed here, or package it where it was measured",
        )
    static = backend["options"].get("shapes") == "static"
    distribution = next(one for one in library.distributions if installed_version(Library("", (one,), "")) is not None)
    return Runtime(
        runner=backend["runner"],
        distribution=distribution,
        version=public_version(here),
        options=backend["options"],
        pad_to_multiple_of=PAD_TO_MULTIPLE_OF if static else 1,
        batch_sizes=tuple(sorted(sizes)) if static else (),
    )
