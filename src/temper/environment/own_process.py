"""What every process of Temper's begins with: it imports nothing that lies in its working folder, and its libraries tell nobody.

A study's folder is where most of them work, and a file there may have a library's name (random.py, numpy.py). Libraries that
report their use do it from threads and child processes of their own, also of the process that is timed. Variables, because
Snakemake, DVC and their jobs start processes too, and all of them inherit these (docs/decisions/0053).
"""

import contextlib
import importlib
import os
import shlex
import sys
from collections.abc import Mapping

ENVIRONMENT: Mapping[str, str] = {
    "PYTHONSAFEPATH": "1",  # no working folder in front of the libraries, also where a process is started with -m
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime
    # of the three words for a build machine by which openvino_telemetry (OpenVINO, NNCF) is silent, the one that nothing else
    # reads: CI also sends transformers' messages to the root logger
    "TF_BUILD": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # datasets: a request to a cloud for every local file
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "ITERATIVE_DO_NOT_TRACK": "1",  # what DVC's libraries read
}


def python_command(*arguments: str) -> list[str]:
    """A command line of this environment's Python; -P is what PYTHONSAFEPATH says, where a person looks for it."""
    return [sys.executable, "-P", *arguments]


def environment(**more: str) -> dict[str, str]:
    """The variables of a new process: this one's, those above, and `more`."""
    return {**os.environ, **ENVIRONMENT, **more}


def settle() -> None:
    """Let this process, and whatever it starts, have the variables; before libraries are imported."""
    os.environ.update(ENVIRONMENT)


def import_without(module: str, library: str) -> None:
    """Import a module that does without a library where there is none, as if there were none; afterwards it is there as before.

    Nothing happens where one of the two is imported already.
    """
    if module in sys.modules or library in sys.modules:
        return
    sys.modules[library] = None  # type: ignore[assignment]  # Python's own word for what cannot be imported
    try:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    finally:
        del sys.modules[library]


class _ShellWord(str):
    """A path that str.format puts into a shell's command line as one word."""

    def __format__(self, spec: str) -> str:
        return shlex.quote(format(str(self), spec))


def quote_interpreter() -> None:
    """Let Snakemake start scripts where this Python lies at a path with a blank, a bracket or a quotation mark.

    It formats sys.executable into a shell's command line as it stands ("{py_exec} {fname:q}", snakemake.script), and has no
    setting for it.
    """
    if shlex.quote(sys.executable) != sys.executable:
        sys.executable = _ShellWord(sys.executable)
