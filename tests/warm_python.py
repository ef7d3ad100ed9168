"""A Python whose libraries are imported already: what a test's command starts (jobs, workers, stages) begins as a copy of it.

Importing torch, transformers, OpenVINO and NNCF is most of what a job of a tiny study does. `WarmPython` gives a folder with a
`python`, a `temper`, a `snakemake` and a `dvc` that are called as the real ones are; each asks a server, which has imported the
libraries and nothing of `temper`, for a copy of itself. The copy has the caller's arguments, folder, variables, processors,
open files and limits of memory, a process of its own, random numbers of its own, and imports the code that its PYTHONPATH names.
A signal to the caller reaches the copy, and the copy ends with its caller. What a library reads of its variables when it is
imported (OMP_NUM_THREADS) it has read before; process groups are the server's. Tests of kills and of Ctrl-C, and those before a
release, start the real Python.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import random
import runpy
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COMMANDS = {"python": None, "temper": "temper.cli", "snakemake": "snakemake", "dvc": "dvc"}
IMPORTED = (
    *(
        "torch",
        "torch.export",
        "torch.onnx",
        "torch.onnx._internal.exporter._core",
        "torch.utils.data",
        "torch._dynamo",
    ),
    *(
        "transformers",
        "transformers.modeling_utils",
        "transformers.models.auto.modeling_auto",
        "datasets",
        "tokenizers",
    ),
    *("transformers.models.distilbert.modeling_distilbert", "transformers.models.resnet.modeling_resnet"),
    *("transformers.models.auto.tokenization_auto", "transformers.models.auto.image_processing_auto"),
    *("onnx", "onnxruntime", "onnxscript", "onnx_ir", "onnxslim", "openvino", "nncf", "nncf.onnx.quantization"),
    *("scipy.stats", "pandas", "pyarrow.parquet", "pydantic", "jinja2", "psutil", "PIL.Image", "yaml", "ruamel.yaml"),
    *(
        "snakemake.cli",
        "snakemake.api",
        "snakemake.script",
        "dvc.cli",
        "dvc.repo",
        "dvc.commands.repro",
        "typer",
        "rich",
    ),
)
PYTHON = sys.executable  # the real one, before a test gives another
_HEADER = struct.Struct("!ii")  # bytes of the request that follows, and number of open files
_FILES_FROM = 512  # received files are kept above the numbers that they will have
CLIENT = """#!{python} -IS
import array, json, os, resource, signal, socket, struct, sys
if "-I" in sys.argv[1:2]:  # asks for a Python that has nothing of its surroundings
    os.execv({python!r}, [{python!r}] + sys.argv[1:])
files = []
for name in os.listdir("/proc/self/fd"):
    try:
        if os.get_inheritable(int(name)):
            files.append(int(name))
    except OSError:
        pass
asked = {{"arguments": {prefix} + sys.argv[1:], "folder": os.getcwd(), "variables": dict(os.environ), "files": files}}
asked["processors"] = sorted(os.sched_getaffinity(0))
asked["address_space"] = resource.getrlimit(resource.RLIMIT_AS)
try:
    asked["group"] = open("/proc/self/cgroup").read()
except OSError:
    asked["group"] = ""
asked = json.dumps(asked).encode()
line = socket.socket(socket.AF_UNIX)
line.connect({address!r})
line.sendmsg([struct.pack("!ii", len(asked), len(files))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])
line.sendall(asked)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, lambda number, frame: line.send(bytes([number])))
answer = b""
while len(answer) < 4:
    part = line.recv(4 - len(answer))
    if not part:
        os._exit(70)
    answer += part
code, = struct.unpack("!i", answer)
if code < 0:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


class WarmPython:
    """The folder of its commands, and the server, which begins when the first of them is called and ends with the tests.

    Args:
        source: folder of a `temper` that no test edits, to be imported too; a command's PYTHONPATH has to name it.
    """

    def __init__(self, source: Path | None = None) -> None:
        self._source = source
        self._folder = Path(tempfile.mkdtemp(prefix="warm-"))
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self._folder / "socket"))
        self._listening.listen(64)
        self._server: subprocess.Popen[bytes] | None = None
        self.bin.mkdir()
        for name, module in COMMANDS.items():
            prefix = [] if module is None else ["-m", module]
            file = self.bin / name
            file.write_text(
                CLIENT.format(python=PYTHON, prefix=prefix, address=str(self._folder / "socket")),
                encoding="utf-8",
            )
            file.chmod(0o755)
        atexit.register(self.close)
        self._over, self._end = os.pipe()
        self._starter = threading.Thread(target=self._start_when_called, daemon=True)
        self._starter.start()

    @property
    def bin(self) -> Path:
        """A folder for PATH."""
        return self._folder / "bin"

    @property
    def python(self) -> str:
        """What a test gives as sys.executable."""
        return str(self.bin / "python")

    def _start_when_called(self) -> None:
        """The first caller waits for the imports, a few seconds; those after it wait for nothing."""
        ready, _, _ = select.select([self._listening, self._over], [], [])
        if self._over in ready:
            return
        from temper.environment.own_process import ENVIRONMENT  # here: this file is the server's, too

        self._server = subprocess.Popen(
            [
                PYTHON,
                "-P",
                __file__,
                str(self._listening.fileno()),
                self.python,
                *([str(self._source)] if self._source else []),
            ],
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": ""},
            cwd="/",
            stdin=subprocess.PIPE,
            pass_fds=[self._listening.fileno()],
        )

    def close(self) -> None:
        """End the server and all its copies."""
        os.write(self._end, b"\0")
        self._starter.join()
        if self._server is not None:
            self._server.communicate()  # its standard input ends
        self._listening.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.close)


@functools.cache
def warm_python(source: Path | None = None) -> WarmPython:
    """The one of this process; for code that nobody edits one that has imported it."""
    return WarmPython(source)


def _received(line: socket.socket) -> tuple[Mapping[str, Any], list[int]]:
    """What a client asks, and its open files by the server's numbers."""
    first, control, _, _ = line.recvmsg(_HEADER.size, socket.CMSG_SPACE(4 * 250), socket.MSG_WAITALL)
    size, _ = _HEADER.unpack(first)
    files = [
        number
        for level, kind, content in control
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        for number in struct.unpack(f"{len(content) // 4}i", content)
    ]
    asked = b""
    while len(asked) < size:
        part = line.recv(size - len(asked))
        if not part:
            raise EOFError
        asked += part
    return json.loads(asked), files


def _place(files: list[int], numbers: list[int]) -> None:
    """Give each received file the number that it has in the client, and close all else."""
    import fcntl

    high = [fcntl.fcntl(file, fcntl.F_DUPFD, _FILES_FROM) for file in files]
    os.closerange(0, _FILES_FROM)
    for file, number in zip(high, numbers, strict=True):
        os.dup2(file, number)
    os.closerange(_FILES_FROM, _FILES_FROM + 2 * len(high) + 64)
    for missing in range(3):
        if missing not in numbers:
            os.open(os.devnull, os.O_RDWR)


def _take_limits(asked: Mapping[str, Any]) -> None:
    """Have as little memory as the caller: of its address space, and of its group of control (version 1)."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, asked["address_space"])
    for line in asked["group"].splitlines():
        _, controller, group = line.split(":", 2)
        if controller == "memory" and line not in Path("/proc/self/cgroup").read_text().splitlines():
            Path("/sys/fs/cgroup/memory", group.lstrip("/"), "cgroup.procs").write_text(str(os.getpid()))


def _own_randomness() -> None:
    """What is drawn without a seed is another in each process, as in processes that begin by themselves."""
    random.seed()
    for name, seed in (("numpy", lambda module: module.random.seed()), ("torch", lambda module: module.seed())):
        if name in sys.modules:
            seed(sys.modules[name])


def _become(asked: Mapping[str, Any], files: list[int]) -> None:
    """What `python` does with these arguments."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _place(files, asked["files"])
    os.sched_setaffinity(0, asked["processors"])
    _take_limits(asked)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["variables"])
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    for name, number in (("stdout", 1), ("stderr", 2)):
        raw = open(number, "wb", buffering=0, closefd=False)  # noqa: SIM115
        lines = number == 2 or raw.isatty()
        stream = io.TextIOWrapper(
            raw if unbuffered else io.BufferedWriter(raw),
            encoding="utf-8",
            errors="backslashreplace" if number == 2 else "strict",
            line_buffering=lines,
            write_through=unbuffered,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    _own_randomness()
    arguments, safe = list(asked["arguments"]), bool(os.environ.get("PYTHONSAFEPATH"))
    while arguments and arguments[0] in ("-P", "-B", "-u", "-I"):
        safe = safe or arguments[0] in ("-P", "-I")
        sys.dont_write_bytecode = sys.dont_write_bytecode or arguments[0] == "-B"
        arguments.pop(0)
    folders = list(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    sys.path[:0] = folders
    importlib.invalidate_caches()
    kind = arguments[0]
    if kind == "-m":
        sys.argv = arguments[1:]
        if not safe:
            sys.path.insert(0, os.getcwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *arguments[2:]]
        if not safe:
            sys.path.insert(0, "")
        import __main__

        exec(compile(arguments[1], "<string>", "exec"), __main__.__dict__)
    elif kind.startswith("-"):
        raise SystemExit(f"the warm Python knows no option {kind}")
    else:
        sys.argv = arguments
        if not safe:
            sys.path.insert(0, str(Path(kind).resolve().parent))
        runpy.run_path(kind, run_name="__main__")


def _end_as(asked: Mapping[str, Any], files: list[int]) -> None:
    """Run it and end the process as Python does, but for the memory: to free what was imported would copy all of it first."""
    code: object = 0
    try:
        _become(asked, files)
    except SystemExit as ended:
        code = ended.code
    except KeyboardInterrupt:
        traceback.print_exc()
        code = -signal.SIGINT
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    if code == -signal.SIGINT:  # as Python ends, so that a shell sees it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit((code or 0) & 0xFF)


class _Copies:
    """The copies at work, by process: the line to the caller, None once that has ended, and a descriptor of the process."""

    def __init__(self) -> None:
        self.lines: dict[int, socket.socket | None] = {}
        self.ends: dict[int, int] = {}

    def start(self, listening: socket.socket) -> None:
        """Copy this process for who has called."""
        line, _ = listening.accept()
        asked, files = _received(line)
        pid = os.fork()
        if pid == 0:
            for other in (listening, line, *filter(None, self.lines.values())):
                other.detach()  # its number is closed with all others
            _end_as(asked, files)
        for file in files:
            os.close(file)
        self.lines[pid], self.ends[pid] = line, os.pidfd_open(pid)

    def hear(self, pid: int) -> None:
        """A signal for a copy, or the end of its caller."""
        line = self.lines[pid]
        assert line is not None
        try:
            said = line.recv(1)
        except OSError:
            said = b""
        os.kill(pid, said[0] if said else signal.SIGKILL)
        if not said:
            line.close()
            self.lines[pid] = None

    def end(self, pid: int) -> None:
        """A copy has ended."""
        os.close(self.ends.pop(pid))
        _, status = os.waitpid(pid, 0)
        if (line := self.lines.pop(pid)) is not None:
            with contextlib.suppress(OSError), line:
                line.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))

    def kill(self) -> None:
        """End all of them."""
        for pid in self.lines:
            os.kill(pid, signal.SIGKILL)


def _import_all(source: str) -> None:
    """Import the modules of `temper` below `source`."""
    path = sys.path[:]
    sys.path.insert(0, source)
    for module in pkgutil.walk_packages([f"{source}/temper"], "temper."):
        # what is copied into a package imports its own neighbours
        if not module.name.startswith("temper.package.") and not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    sys.path[:] = path


def _serve(listening: socket.socket, python: str, source: str | None = None) -> None:
    sys.path[:] = [entry for entry in sys.path if entry not in ("", str(Path(__file__).parent))]
    for module in IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    assert "temper" not in sys.modules
    if source is not None:
        _import_all(source)
    assert threading.active_count() == 1
    sys.executable = sys._base_executable = python  # type: ignore[attr-defined]
    gc.collect()
    gc.freeze()  # a collection in a copy would copy it all
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    copies = _Copies()
    while True:
        heard = {line.fileno(): pid for pid, line in copies.lines.items() if line is not None}
        ended = {descriptor: pid for pid, descriptor in copies.ends.items()}
        ready, _, _ = select.select([0, listening.fileno(), *heard, *ended], [], [])
        if 0 in ready:
            return copies.kill()
        for number in ready:  # a copy that has ended has nothing more to hear
            if number in ended:
                copies.end(ended[number])
            elif number in heard and heard[number] in copies.lines:
                copies.hear(heard[number])
        if listening.fileno() in ready:
            with contextlib.suppress(EOFError, struct.error):
                copies.start(listening)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), *sys.argv[2:])
