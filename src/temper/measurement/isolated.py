"""One task in a process of its own: its memory is its own, and a backend that crashes takes nothing with it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from temper import errors
from temper.errors import PipelineError, Unavailable
from temper.provenance import ALLOCATOR, SOURCE_ROOT

WORKER = "temper.measurement.worker"


class OutOfMemory(Exception):
    """The process was killed, or said that memory ran out."""


def _says_out_of_memory(text: str) -> bool:
    return any(
        words in text.lower() for words in ("out of memory", "outofmemory", "bad_alloc", "cannot allocate memory")
    )


def run_isolated(request: Mapping[str, Any], *, worker: str = WORKER) -> dict[str, Any]:
    """Run one task of `temper.measurement.worker` in a new process.

    Args:
        request: what the worker's `run` takes, as JSON.
        worker: the module; a test may put another.

    Returns:
        What the worker returned.

    Raises:
        Unavailable: this machine lacks what it needs.
        PipelineError: the one that was raised there.
        OutOfMemory: memory ran out, or the system killed the process.
        RuntimeError: it ended in a way nobody foresaw; its traceback is in this process's own output.
    """
    reader, writer = os.pipe()
    path = os.pathsep.join(filter(None, [str(SOURCE_ROOT), os.environ.get("PYTHONPATH", "")]))
    with subprocess.Popen(
        [sys.executable, "-m", worker, str(writer)],
        stdin=subprocess.PIPE,
        pass_fds=(writer,),
        env={**os.environ, **ALLOCATOR, "PYTHONPATH": path},
        text=True,
    ) as process:
        os.close(writer)
        try:
            assert process.stdin is not None
            try:
                with process.stdin as stream:
                    stream.write(json.dumps(request))
            except BrokenPipeError:
                pass  # it ended before it read; its exit code says how
            with open(reader, encoding="utf-8") as stream:
                answer = stream.read()
            process.wait()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        if process.returncode == -signal.SIGKILL:
            raise OutOfMemory("the system killed the process (SIGKILL): most often memory ran out")
        if process.returncode in (-signal.SIGINT, 130):
            raise KeyboardInterrupt
        how = (
            f"signal {signal.Signals(-process.returncode).name}"
            if process.returncode < 0
            else f"exit code {process.returncode}"
        )
        raise RuntimeError(f"the process of the task {request['task']!r} ended with {how}; its output stands above")
    return _result(json.loads(answer))


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    if "unavailable" in answer:
        raise Unavailable(answer["unavailable"])
    if "out_of_memory" in answer:
        raise OutOfMemory(answer["out_of_memory"])
    if "error" in answer:
        parts = answer["error"]
        if _says_out_of_memory(parts["happened"]):
            raise OutOfMemory(parts["happened"])
        raise getattr(errors, answer["class"])(**parts)
    result: dict[str, Any] = answer["result"]
    return result


def answered(task: Any) -> dict[str, Any]:
    """What a worker writes for a task: its result, or the error in a form that `run_isolated` raises again."""
    try:
        return {"result": task()}
    except Unavailable as lacking:
        return {"unavailable": lacking.reason}
    except PipelineError as error:
        parts = {key: getattr(error, key) for key in ("asked", "happened", "spoiled", "fix")}
        return {"error": parts, "class": type(error).__name__}
    except MemoryError as error:
        return {"out_of_memory": f"MemoryError: {error}"}
    except RuntimeError as error:  # what torch and CUDA raise
        if not _says_out_of_memory(str(error)):
            raise
        return {"out_of_memory": str(error)[:400]}
