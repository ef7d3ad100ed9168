"""Runs `snakemake`, `dvc` and `temper` in copies of a process that has imported their libraries.

Most of a dry run is imports: with them done, one costs a quarter. Everything else is as on a command line: the command's own
entry point, its arguments, its working folder, its environment, a process of its own in a session of its own. Of `temper`
nothing is imported before, so a copy runs the code that its PYTHONPATH names; but for code that no test edits, which a process
of its own has imported (`warm_with`). What a command starts itself (jobs of a study and their workers, stages of DVC) is run by
tests/warm_python.py.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

if __name__ != "__main__":
    from tests.warm_python import warm_python

MODULES = {"snakemake": "snakemake", "dvc": "dvc", "temper": "temper.cli", "python": None}  # python: with -c alone
IMPORTED = (
    *("snakemake.cli", "snakemake.api", "snakemake.report", "snakemake.scheduling", "pandas", "pyarrow", "smart_open"),
    *("onnx", "pydantic", "numpy", "yaml", "jinja2", "pulp", "psutil", "PIL.Image"),
    *("dvc.cli", "dvc.repo", "dvc.commands.repro", "dvc.commands.status", "dvc.commands.experiments.run", "dvc.scm"),
    *("snakemake.profiles", "snakemake.storage", "snakemake.assets", "snakemake.report.html_reporter", "nbformat"),
    *("pyarrow.parquet", "statistics", "graphlib", "typer"),
)
HEAVY = (
    *("torch", "transformers", "tokenizers", "datasets", "nncf", "openvino", "onnxruntime"),
    *("scipy", "sklearn", "matplotlib", "plotly"),
)
# what finds Snakemake's plugins among all installed modules, once in a process; the loggers' is left: Temper has one
REGISTRIES = {
    "snakemake_interface_executor_plugins.registry": "ExecutorPluginRegistry",
    "snakemake_interface_storage_plugins.registry": "StoragePluginRegistry",
    "snakemake_interface_report_plugins.registry": "ReportPluginRegistry",
    "snakemake_interface_scheduler_plugins.registry": "SchedulerPluginRegistry",
}


def _become(command: Mapping[str, Any]) -> None:
    """What `python -m` does with the arguments, in this copy of the process."""
    os.setsid()
    os.chdir(command["cwd"])
    os.environ.clear()
    os.environ.update(command["env"])
    for descriptor, path in ((0, os.devnull), (1, command["stdout"]), (2, command["stderr"])):
        opened = os.open(path, os.O_RDONLY if descriptor == 0 else os.O_WRONLY)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.executable = command["python"]
    folders = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:0] = [command["cwd"], *folders]
    importlib.invalidate_caches()
    module, arguments = command["module"], command["arguments"]
    if module is None:
        _, program = arguments
        sys.argv = ["-c"]
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


class _Left:
    """Says of heavy libraries that they are not there: a module that begins with one is left, as a plan leaves it."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] in HEAVY:
            raise ImportError(name)


def _import_all(source: str) -> None:
    """Import the modules of `temper` below `source` that import nothing heavy; a copy sets itself what they change."""
    path, left = sys.path[:], _Left()
    sys.path.insert(0, source)
    sys.meta_path.insert(0, left)
    for module in pkgutil.walk_packages([f"{source}/temper"], "temper."):
        # what is copied into a package imports its own neighbours
        if not module.name.startswith("temper.package.") and not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    sys.meta_path.remove(left)
    sys.path[:] = path
    assert "temper.study.study" in sys.modules


def _end_as(run: Callable[[Mapping[str, Any]], None], command: Mapping[str, Any]) -> None:
    """Run it and end the process as Python does, but for the memory: to free what was imported would copy all of it first."""
    code: object = 0
    try:
        run(command)
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # waits for threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def _serve(source: str | None = None) -> None:
    """Reads a command a line from standard input; answers with its process id, then with its exit code."""
    sys.path.pop(0)  # the folder of this file
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    with contextlib.suppress(ImportError):
        for module in IMPORTED:
            importlib.import_module(module)
        for module, registry in REGISTRIES.items():
            getattr(importlib.import_module(module), registry)()
    assert "temper" not in sys.modules
    if source is not None:
        _import_all(source)
    gc.collect()
    gc.freeze()  # a collection in a copy would copy it all
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.close(answers.fileno())
            _end_as(_become, json.loads(line))
        answers.write(f"{pid}\n")
        _, status = os.waitpid(pid, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")


class WarmProcess:
    """The process that is copied. Started at the first command; ends with the tests.

    Args:
        source: folder of a `temper` that no test edits, to be imported before; a command's PYTHONPATH has to name it.
    """

    def __init__(self, source: Path | None = None) -> None:
        self._source = source
        self._server: subprocess.Popen[str] | None = None

    def _started(self) -> "subprocess.Popen[str]":
        if self._server is None or self._server.poll() is not None:
            self._server = subprocess.Popen(
                [sys.executable, __file__, *([] if self._source is None else [str(self._source)])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd="/",
            )
        return self._server

    def run(
        self,
        command: str,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        patience_s: float,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and wait for its end.

        Args:
            command: of MODULES.
            arguments: of the command.
            cwd: its working folder.
            env: its whole environment.
            patience_s: after which it is killed.

        Raises:
            subprocess.TimeoutExpired: it did not end in that time.
        """
        server = self._started()
        assert server.stdin is not None
        assert server.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            outputs = {name: Path(folder) / name for name in ("stdout", "stderr")}
            for path in outputs.values():
                path.touch()
            request = {
                "module": MODULES[command],
                "arguments": list(map(str, arguments)),
                "cwd": str(cwd),
                "env": dict(env),
                "python": warm_python().python,
                **{name: str(path) for name, path in outputs.items()},
            }
            server.stdin.write(json.dumps(request) + "\n")
            server.stdin.flush()
            pid = int(server.stdout.readline())
            try:
                ended = _wait_for_line(server.stdout, patience_s)
            except BaseException:  # Ctrl-C
                os.killpg(pid, signal.SIGKILL)
                self.close()
                raise
            if not ended:
                os.killpg(pid, signal.SIGKILL)
            code = int(server.stdout.readline())
            found = {name: path.read_text(encoding="utf-8", errors="replace") for name, path in outputs.items()}
        whole = [command, *arguments]
        if not ended:
            raise subprocess.TimeoutExpired(whole, patience_s, output=found["stdout"], stderr=found["stderr"])
        return subprocess.CompletedProcess(whole, code, **found)

    def close(self) -> None:
        """End it."""
        if self._server is not None:
            self._server.communicate()


def _wait_for_line(stream: IO[str], patience_s: float) -> bool:
    readable, _, _ = select.select([stream], [], [], patience_s)
    return bool(readable)


WARM = WarmProcess()
atexit.register(WARM.close)


@cache
def warm_with(source: Path) -> WarmProcess:
    """The process that has imported the `temper` of this folder, which nobody edits."""
    made = WarmProcess(source)
    atexit.register(made.close)
    return made


if __name__ == "__main__":
    _serve(*sys.argv[1:])
