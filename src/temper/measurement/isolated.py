"""One task in a process of its own: its memory is its own, and a backend that crashes takes nothing with it.

`run_isolated` starts a worker and waits for its answer; `answer_request` is what a worker's `main` calls.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import IO, Any, NoReturn

from temper import errors
from temper.environment.machine import SOURCE_ROOT, timed_environment
from temper.environment.memory import memory_reason
from temper.environment.missing_module import missing_module
from temper.environment.own_process import ENVIRONMENT, python_command
from temper.errors import PipelineError, Unavailable
from temper.logs.script_log import TERMINAL, terminal_number
from temper.measurement.memory_kills import memory_kills
from temper.measurement.watch import Busy

WORKER = "temper.measurement.worker"
_LAST_LINES = 5


class OutOfMemory(Exception):
    """The process said that memory ran out, or the system's memory killer ended it; its cause, where it has one, tells how."""


class NoAnswer(RuntimeError):
    """The process ended without an answer, or was killed because its time was over.

    Attributes:
        how: 'signal SIGSEGV', 'exit code 1'; None where its time was over.
        crashed: whether a signal ended it that compiled code gets when it fails.
        killed: whether somebody ended it by SIGKILL: not by itself, and not for its time.
        last_said: the last lines of its output, where that was kept.
    """

    def __init__(self, task: str, how: str | None, last_said: str | None) -> None:
        self.how, self.last_said = how, last_said
        self.killed = how == f"signal {signal.SIGKILL.name}"
        self.crashed = how is not None and how.startswith("signal") and not self.killed
        ended = "had not ended in time, and was killed" if how is None else f"ended with {how}"
        super().__init__(f"the process of the task {task!r} {ended}; its output stands above")


def run_isolated(
    request: Mapping[str, Any], *, worker: str = WORKER, timeout_s: float | None = None, keep_output: bool = False
) -> dict[str, Any]:
    """Run one task in a new process; once more where somebody killed it and the system's memory killer says that it did not.

    Args:
        request: what the worker's task takes, as JSON; `task` names it in errors.
        worker: the module that calls `answer_request`.
        timeout_s: after this long the process is killed; None waits for ever.
        keep_output: hold its output back until it has ended, so that an error can quote the last lines. Else it is
            seen at once.

    Returns:
        What the worker returned.

    Raises:
        Unavailable: this machine lacks what it needs.
        Busy: others took too much of it for as long as the task waits.
        PipelineError: the one that was raised there.
        OutOfMemory: memory ran out, by the process's own word or by the count of the system's memory killer.
        NoAnswer: its time was over, it was killed twice, or it ended in a way nobody foresaw; its traceback is in this
            process's own output.
    """
    try:
        return _run_once(request, worker, timeout_s, keep_output)
    except NoAnswer as ended:
        if not ended.killed:
            raise
    print(
        f"the process of the task {request['task']!r} was killed from outside (SIGKILL): started once more", flush=True
    )
    return _run_once(request, worker, timeout_s, keep_output)


def _run_once(request: Mapping[str, Any], worker: str, timeout_s: float | None, keep_output: bool) -> dict[str, Any]:
    path = os.pathsep.join(filter(None, [str(SOURCE_ROOT), os.environ.get("PYTHONPATH", "")]))
    kills_before = memory_kills()
    # files, not pipes: whatever the worker has left running holds no end open that this process would wait for
    with tempfile.TemporaryFile() as answer_file, tempfile.TemporaryFile() as output_file:
        with subprocess.Popen(
            python_command("-m", worker, str(answer_file.fileno())),
            stdin=subprocess.PIPE,
            stdout=output_file if keep_output else None,
            stderr=subprocess.STDOUT if keep_output else None,
            pass_fds=(answer_file.fileno(), terminal_number()),
            env={**timed_environment(), **ENVIRONMENT, "PYTHONPATH": path, TERMINAL: str(terminal_number())},
            text=True,
        ) as process:
            in_time = True
            try:
                process.communicate(json.dumps(request), timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                in_time = False
            except BaseException:
                process.kill()
                raise
        answer, output = _text(answer_file), _text(output_file)
    print(output, end="", flush=True)
    if in_time and process.returncode == 0 and answer:
        return _result(json.loads(answer))
    if in_time and process.returncode in (-signal.SIGINT, 130):
        raise KeyboardInterrupt
    last = " / ".join(line.strip() for line in output.splitlines()[-_LAST_LINES:] if line.strip()) or "nothing"
    ended = NoAnswer(
        request["task"], _how(process.returncode) if in_time else None, last[-600:] if keep_output else None
    )
    if ended.killed and memory_kills() != kills_before:
        raise OutOfMemory("the system's memory killer ended the process (SIGKILL)") from ended
    raise ended


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _how(code: int) -> str:
    """How a process ended, by its exit status."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    if "unavailable" in answer:
        raise Unavailable(answer["unavailable"])
    if "busy" in answer:
        raise Busy(answer["busy"], answer["contention"])
    if "out_of_memory" in answer:
        raise OutOfMemory(answer["out_of_memory"])
    if "error" in answer:
        parts = answer["error"]
        error: PipelineError = getattr(errors, answer["class"])(**parts)
        reason = memory_reason(error)
        if reason is not None:
            raise OutOfMemory(reason) from error
        raise error
    result: dict[str, Any] = answer["result"]
    return result


def _answered(task: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a worker writes for a task: its result, or the error in a form that `run_isolated` raises again."""
    try:
        return {"result": task()}
    except Unavailable as lacking:
        return {"unavailable": lacking.reason}
    except Busy as busy:
        return {"busy": busy.reason, "contention": busy.contention}
    except PipelineError as error:
        return _told(error)
    except (MemoryError, RuntimeError, OSError, ImportError) as error:
        reason = memory_reason(error)
        if reason is not None:
            return {"out_of_memory": reason}
        absent = missing_module(error, "run a part of this job in a process of its own", "this job only")
        if absent is None:
            raise
        return _told(absent)


def _told(error: PipelineError) -> dict[str, Any]:
    """An error in its four parts, which `run_isolated` raises again."""
    parts = {key: getattr(error, key) for key in ("asked", "happened", "affected", "fix")}
    return {"error": parts, "class": type(error).__name__}


def _die_with_parent() -> None:
    """A worker must not go on after the run that asked for it was killed (Linux; elsewhere it ends by itself)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def answer_request(task: Callable[[dict[str, Any]], dict[str, Any]]) -> NoReturn:
    """All that a worker does: a request from standard input, its answer to the file whose number is the first argument.

    Args:
        task: makes the answer; what it raises, `run_isolated` raises again.
    """
    _die_with_parent()
    request = json.loads(sys.stdin.read())
    try:
        answer = _answered(lambda: task(request))
    except KeyboardInterrupt:
        sys.exit(130)
    with open(int(sys.argv[1]), "w", encoding="utf-8") as stream:
        json.dump(answer, stream)
    sys.stdout.flush()
    os._exit(0)  # some libraries crash or hang while they are torn down, with the answer already given
