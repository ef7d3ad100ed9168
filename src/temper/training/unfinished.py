"""Training that was stopped goes on: its state on disk now and then, and back where the same training is asked for again.

What comes out is byte-equal to a training that was not stopped: everything that a step reads is in the state, the generators'
too. The file is no artifact: nobody else reads it, and it goes when the checkpoint is written.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from temper.artifacts.scratch import scratch_file
from temper.logs.script_log import say_lasting

FOLDER = "unfinished"  # beside the artifacts
EVERY_S = 60.0
MOST = 0.05  # of the time, for writing: a large model's state takes seconds


class Unfinished:
    """State of one training.

    Args:
        file: where it lies.
        asked: what the training is made from: settings, digests of the data and the code, versions. The state of another one is
            left out.
        every_s: how often it is written.
        clock: seconds, from any moment on.
    """

    def __init__(
        self,
        file: Path,
        asked: Mapping[str, Any],
        *,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file, self._every_s, self._clock = file, every_s, clock
        self._key = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
        self._written, self._took = clock(), 0.0

    def read(self) -> dict[str, Any] | None:
        """The state, or None where there is none of this training; nothing in the file can run code."""
        import torch

        if not self._file.is_file():
            return None
        try:
            content: dict[str, Any] = torch.load(self._file, map_location="cpu", weights_only=True)
        except Exception as error:  # a file that another version wrote, or that was cut off: training begins anew
            print(f"the state of a training that was stopped cannot be read ({type(error).__name__}): it begins anew")
            return None
        if content.get("key") != self._key:
            print("a training that was stopped was another one: this one begins at its first step")
            return None
        say_lasting(f"fine_tune goes on after step {content['step']:,}, where it was stopped")
        return content

    def write(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Write the state if it is time to; whole or not at all."""
        import torch

        began = self._clock()
        if began - self._written < max(self._every_s, self._took / MOST):
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with scratch_file(self._file) as (handle, neighbour):
            with open(handle, "wb") as stream:
                torch.save({**state(), "key": self._key}, stream)
            os.replace(neighbour, self._file)
        self._written = self._clock()
        self._took = self._written - began

    def remove(self) -> None:
        """The training has ended: its state is needed no more."""
        self._file.unlink(missing_ok=True)
        if self._file.parent.is_dir() and not any(self._file.parent.iterdir()):
            self._file.parent.rmdir()
