"""How libraries say that memory ran out, and the limits that are set."""

import errno
import os
import subprocess
import sys

import pytest

from temper.environment.memory import limit_words, memory_reason
from temper.errors import BackendError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "MemoryError"),
        (MemoryError("12 GiB"), "MemoryError: 12 GiB"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "OSError: [Errno 12] Cannot allocate memory"),
        (RuntimeError("std::bad_alloc"), "std::bad_alloc"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), "can't allocate"),
        (RuntimeError("Failed to allocate memory for requested buffer of size 64"), "Failed to allocate memory"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "failed to map segment"),
        (BackendError(asked="", happened="CUDA out of memory", affected="", fix=""), "CUDA out of memory"),
    ],
)
def test_memory_that_ran_out_is_known_by_what_each_library_says(error, said):
    reason = memory_reason(error)
    assert reason is not None
    assert said in reason


@pytest.mark.parametrize(
    "error",
    [
        ValueError("out of memory"),  # words of a file
        RuntimeError("expected scalar type Float"),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        ImportError("libtorch_cpu.so: failed to map segment from shared object: Operation not permitted"),
        BackendError(asked="out of memory", happened="no such file", affected="", fix=""),
    ],
)
def test_another_error_is_none(error):
    assert memory_reason(error) is None


@pytest.mark.parametrize("option", ["-v", "-d"])
def test_a_limit_is_named_with_its_command(option):
    program = "from temper.environment.memory import limit_words; print(limit_words())"
    command = ["sh", "-c", f'ulimit {option} 3000000; exec "$@"', "sh", sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"a limit of 2,929 MiB is set on each process's memory (ulimit {option})\n"
    assert limit_words() is None
