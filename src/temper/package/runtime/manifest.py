"""manifest.json: what the package is, what was measured of it, and the digest of each of its files."""

import hashlib
import json
from pathlib import Path
from typing import Any

from .errors import PackageError

NAME, KIND, FORMAT_VERSION = "manifest.json", "package", 1
_SEAL = "manifest_sha256"


def sha256(file: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _seal(content: dict[str, Any]) -> str:
    kept = {key: value for key, value in content.items() if key != _SEAL}
    text = json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    return hashlib.sha256(text.encode()).hexdigest()


def _refused(folder: Path, happened: str) -> PackageError:
    return PackageError(
        asked=f"load the package in {folder}",
        happened=happened,
        affected="every answer of it; nothing was loaded",
        fix="copy the package again from where it was written, whole",
    )


def read_manifest(folder: Path, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The manifest, after the files that it lists were held against their digests.

    Args:
        folder: of the package.
        without: files whose names begin so are not looked at: another process that loads them looks.

    Raises:
        PackageError: it is absent, no manifest of this version, or altered, or a file is absent or has other bytes.
    """
    file = folder / NAME
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found, altered = (content["kind"], content["format_version"]), content[_SEAL] != _seal(content)
        files = {
            str(name): (int(facts["size_bytes"]), str(facts["sha256"])) for name, facts in content["files"].items()
        }
    except FileNotFoundError:
        raise _refused(folder, f"{file} does not exist") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise _refused(folder, f"{file} is no manifest ({type(error).__name__}: {error})") from None
    if found != (KIND, FORMAT_VERSION):
        happened = (
            f"it describes {found[0]!r} in format {found[1]}, where {KIND!r} in format {FORMAT_VERSION} is expected"
        )
        raise _refused(folder, happened)
    if altered:
        raise _refused(folder, f"{file} was altered after it was written")
    for name, (size_bytes, digest) in files.items():
        path = folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise _refused(folder, f"{file} lists {name!r}, which does not lie in the package")
        if without and name.startswith(without):
            continue
        if not path.is_file():
            raise _refused(folder, f"{path} is missing")
        if path.stat().st_size != size_bytes or sha256(path) != digest:
            happened = f"{path} is not the file that was packaged (SHA-256 {digest[:12]}…): truncated or altered"
            raise _refused(folder, happened)
    return content
