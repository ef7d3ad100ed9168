"""DVC as a command: the one of this Python environment, with `temper` on the path of the stages it runs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from temper.errors import ExperimentError


def environment() -> dict[str, str]:
    """This process's environment with the Python environment's commands first on the path."""
    here = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join([here, os.environ.get("PATH", "")])}


def dvc(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a DVC command in the working directory and wait for it; its output goes where `options` say."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, env=environment(), text=True, check=False, **options)


def ask_dvc(*arguments: str, spoiled: str, fix: str) -> str:
    """Standard output of a DVC command that has to succeed.

    Raises:
        ExperimentError: with what DVC said, `spoiled` and `fix`.
    """
    done = dvc(*arguments, capture_output=True)
    if done.returncode != 0:
        raise ExperimentError(
            asked=f"dvc {' '.join(arguments)}",
            happened=(done.stderr or done.stdout).strip()[-600:],
            spoiled=spoiled,
            fix=fix,
        )
    return done.stdout
