"""Artifacts on disk: a folder with its files and a manifest that holds their digests.

Whoever makes an artifact ends with `write_manifest`; whoever loads one begins with `read_manifest`, which checks the
bytes against the digests. So a truncated, hand-edited or half-written file is an error and never a wrong number.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from temper.artifacts.inside import why_not_below
from temper.artifacts.scratch import scratch_file, scratch_folder
from temper.errors import ArtifactError
from temper.reading.bounded import Unreadable
from temper.reading.json_file import read_object

FORMAT_VERSION = 1
SEAL = "manifest_sha256"
MANIFESTS = {
    "checkpoint": "checkpoint.json",
    "onnx": "onnx.json",
    "engines": "engine.json",
}  # by what a candidate loads


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def canonical_json(value: Any) -> str:
    """JSON text that is equal for equal values: sorted keys, two-space indent, final newline."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_text(path: str | Path, text: str) -> None:
    """Write a whole file or nothing: the text goes to a neighbour first, which then takes the file's name."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch_file(path) as (handle, neighbour):
        with open(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(neighbour, 0o644)
        os.replace(neighbour, path)


@contextmanager
def staged_folder(folder: str | Path) -> Iterator[Path]:
    """A scratch folder beside `folder` whose files move into it when the block ends well, and vanish when it does not.

    Args:
        folder: the artifact's folder; made if absent, files of the same names replaced.

    Yields:
        The scratch folder, on the same file system.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(folder) as scratch:
        yield scratch
        folder.mkdir(exist_ok=True)
        for path in sorted(scratch.rglob("*")):
            if path.is_file():
                target = folder / path.relative_to(scratch)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)


def seal(content: Mapping[str, Any]) -> str:
    """SHA-256 over a manifest's content without the seal itself: facts such as ranges stand in no other file."""
    return hashlib.sha256(canonical_json({key: content[key] for key in content if key != SEAL}).encode()).hexdigest()


def write_manifest(
    manifest: str | Path,
    *,
    kind: str,
    facts: Mapping[str, Any],
    inputs: Mapping[str, str] | None = None,
    files: Iterable[str] | None = None,
) -> None:
    """Write the manifest of the artifact whose files stand beside it.

    Args:
        manifest: path of the JSON file, which lists other files of its folder with size and digest.
        kind: what the artifact is, such as 'checkpoint' or 'onnx'.
        facts: what its maker wants known: versions, settings, results. No times of day, no absolute paths: equal
            work must give equal bytes.
        inputs: name to SHA-256 of what it was made from.
        files: names of the files to list; all of the folder when None.
    """
    manifest = Path(manifest)
    found = sorted(manifest.parent.rglob("*")) if files is None else [manifest.parent / name for name in sorted(files)]
    listed = {
        path.relative_to(manifest.parent).as_posix(): {"sha256": sha256(path), "size_bytes": path.stat().st_size}
        for path in found
        if path.is_file() and path != manifest and not path.name.startswith(".")
    }
    content = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "files": listed,
        "made_from": dict(inputs or {}),
        **facts,
    }
    write_text(manifest, canonical_json({**content, SEAL: seal(content)}))


def read_manifest(manifest: str | Path, *, kind: str, verify: Iterable[str] | None = None) -> dict[str, Any]:
    """Read a manifest and check the files it lists.

    Args:
        manifest: path of the JSON file that `write_manifest` wrote.
        kind: the kind that is expected.
        verify: names of the files to check; all that are listed when None.

    Raises:
        ArtifactError: the manifest is absent, unreadable or of another kind, or a file is absent or has other bytes.
    """
    manifest = Path(manifest)
    asked = f"load the {kind} in {manifest.parent}"
    affected = "everything that is made from it; nothing was written"
    fix = "temper sync: puts it back from DVC's cache, or moves it out of the way; what is missing then, the next run makes anew"
    try:
        content = read_object(manifest)
        found = (content["kind"], content["format_version"])
        names = sorted(content["files"]) if verify is None else list(verify)
        expected = {
            name: (int(content["files"][name]["size_bytes"]), str(content["files"][name]["sha256"])) for name in names
        }
        altered = content.get(SEAL) != seal(content)
    except FileNotFoundError:
        raise ArtifactError(asked=asked, happened=f"{manifest} does not exist", affected=affected, fix=fix) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = str(error) if isinstance(error, Unreadable) else f"{type(error).__name__}: {error}"
        happened = f"{manifest} is not a manifest of this version ({why})"
        raise ArtifactError(asked=asked, happened=happened, affected=affected, fix=fix) from None
    if found != (kind, FORMAT_VERSION):
        happened = f"{manifest} describes {found[0]!r} in format {found[1]}, not {kind!r} in format {FORMAT_VERSION}"
        raise ArtifactError(asked=asked, happened=happened, affected=affected, fix=fix)
    if altered:
        happened = f"{manifest} is not as its maker wrote it: altered since"
        raise ArtifactError(asked=asked, happened=happened, affected=affected, fix=fix)
    for name, (size_bytes, digest) in expected.items():
        path = manifest.parent / name
        if why_not_below(name, ".") is not None:
            happened = f"{manifest} lists {name!r}, which does not lie below it"
            raise ArtifactError(asked=asked, happened=happened, affected=affected, fix=fix)
        if not path.is_file():
            raise ArtifactError(asked=asked, happened=f"{path} is missing", affected=affected, fix=fix)
        size = path.stat().st_size
        if size != size_bytes or sha256(path) != digest:
            happened = f"{path} ({size:,} bytes) is not the file its maker recorded ({size_bytes:,} bytes, \
SHA-256 {digest[:12]}…): truncated or altered since"
            raise ArtifactError(asked=asked, happened=happened, affected=affected, fix=fix)
    return content


def read_document(file: str | Path) -> dict[str, Any]:
    """A JSON object that a job or a command of ours wrote and that has no manifest.

    Raises:
        ArtifactError: it is absent, or holds something else.
    """
    try:
        return read_object(file)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            asked=f"read {file}",
            happened=f"{file} does not exist" if isinstance(error, FileNotFoundError) else str(error),
            affected="what would be said of it; nothing was written",
            fix="temper sync: puts it back from DVC's cache, or has it made anew; git checkout, where git keeps it",
        ) from None


def copy_files(names: Iterable[str], source: str | Path, target: str | Path) -> None:
    """Copy the named files from one folder into another."""
    Path(target).mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(Path(source) / name, Path(target) / name)


def artifact_digest(files_sha256: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits that are equal for equal weights and graphs."""
    own = sorted(digest for name, digest in files_sha256.items() if name.startswith("model."))
    return hashlib.sha256("\n".join(own).encode()).hexdigest()[:12]
