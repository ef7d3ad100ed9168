"""Pinned requirements of a package: what it imports and what that needs, at the versions of this environment."""

from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from temper.errors import LibraryError
from temper.package.runtime_at import NOTHING_WRITTEN

# by distribution, what it requires for a thing that no package does: fetching tokenizers from the hub brings 30 MB
NOT_IMPORTED = {"tokenizers": ("huggingface-hub",)}


def pinned(names: Iterable[str]) -> list[str]:
    """'numpy==2.4.6', …: the named distributions and all that they import here, sorted: complete for `pip install --no-deps`.

    Raises:
        LibraryError: one is not installed.
    """
    found: dict[str, str] = {}
    queue = list(names)
    while queue:
        name = canonicalize_name(queue.pop())
        if name in found:
            continue
        try:
            own = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise LibraryError(
                asked=f"pin {name}, which the package needs",
                happened="it is not installed in this environment",
                affected=NOTHING_WRITTEN,
                fix="make setup, which installs what requirements/ names",
            ) from None
        found[name] = own.version.partition("+")[0]
        for line in own.requires or ():
            needed = Requirement(line)
            if canonicalize_name(needed.name) in NOT_IMPORTED.get(name, ()):
                continue
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                queue.append(needed.name)
    return [f"{name}=={version}" for name, version in sorted(found.items())]
