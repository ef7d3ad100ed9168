"""Kernels that TensorRT-RTX compiled for an engine on a GPU, kept in a file from one loading to the next.

The file is no artifact: no rule reads or writes it, and an engine answers the same without it (docs/decisions/0017).
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from temper.artifacts.scratch import scratch_file

FOLDER = "runtime_cache"
_DIGEST_BYTES = hashlib.sha256().digest_size


def cache_file(engine_folder: Path, engine_sha256: str, version: str, gpu: str, gpu_uuid: str) -> Path:
    """Where the kernels of one engine, library version and GPU are kept: beside engines/, never inside.

    The library takes no kernels from another GPU, not even from one of the same kind: each has a file of its own.

    Args:
        engine_folder: artifacts/engines/<row>.
        engine_sha256: of its model.engine.
        version: of the library.
        gpu: name of the GPU.
        gpu_uuid: of the GPU, in hexadecimal digits.
    """
    above = engine_folder.parent
    place = above.parent if above.name == "engines" else above
    name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{engine_sha256[:16]} {version} {gpu} {gpu_uuid[:8]}")
    return place / FOLDER / f"{name}.bin"


class RuntimeCache:
    """The library's cache (`IRuntimeCache`) of one engine, filled from its file and written back.

    Attributes:
        found: whether the file was there and taken.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.found = path, False
        self._cache: Any = None
        self._before = b""

    def attach(self, config: Any) -> None:
        """Set the cache in a runtime configuration; the first call makes it and reads the file.

        A file that is broken, or of another environment, is ignored with a message.
        """
        if self._cache is None:
            self._cache = config.create_runtime_cache()
            blob = self._read()
            if blob is not None:
                self.found = bool(self._cache.deserialize(blob))
                if not self.found:
                    print(f"{self.path.name} is of another environment: ignored, kernels are compiled anew", flush=True)
            self._before = blob if blob is not None and self.found else b""
        config.set_runtime_cache(self._cache)

    def save(self) -> None:
        """Write the file, whole or not at all, where kernels were added; what prevents it is only a message."""
        if self._cache is None:
            return
        try:
            blob = bytes(self._cache.serialize())
            if blob and blob != self._before:
                self._write(hashlib.sha256(blob).digest() + blob)
        except (OSError, RuntimeError, TypeError) as error:  # TypeError: the library gave nothing
            print(f"the runtime cache could not be kept: {error}", flush=True)

    def drop(self) -> None:
        """Let go of the library's object."""
        self._cache = None

    def _write(self, content: bytes) -> None:
        """Through a neighbour of a name of its own: several processes may end at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with scratch_file(self.path) as (handle, neighbour):
            with open(handle, "wb") as stream:
                stream.write(content)
            os.replace(neighbour, self.path)

    def _read(self) -> bytes | None:
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        digest, blob = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(blob).digest() != digest:
            print(f"{self.path.name} is broken: ignored, kernels are compiled anew", flush=True)
            return None
        return blob
