"""The library that a package's model runs on, at the version that is installed, and how its calls are shaped."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from temper.backends.packaged import RUNNERS
from temper.environment.library import Library, installed_version, public_version
from temper.errors import LibraryError
from temper.lengths.trimming import PAD_TO_MULTIPLE_OF

NOTHING_WRITTEN = "nothing was written"
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
