"""The package as it is: a folder that answers by itself."""

from pathlib import Path
from typing import Any

from temper.package.contents import Source

WRITTEN_FOR = "Python on this kind of machine"


def lay_out(source: Source, facts: dict[str, Any], base: Path, target: Path) -> list[str]:
    """Give the package its place; what is said of it."""
    base.rename(target)
    return [
        "next:      pip install --no-deps -r requirements.txt in a fresh environment; python -m package_runtime TEXT"
    ]
