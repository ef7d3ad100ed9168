"""Memory that ran out: how an error says so, and the limits that are set for this process."""

import errno
import re
import sys

from temper.errors import PipelineError

_WORDS = re.compile(
    "out of memory|outofmemory|bad_alloc|(?:cannot|can't|failed to|unable to) allocate (?:memory|.*bytes)"
    "|failed to map segment from shared object$|can't start new thread",
    re.IGNORECASE,
)
_LONGEST = 400  # letters of what a library says


def memory_reason(error: BaseException) -> str | None:
    """What an error says where memory ran out, of the host or of a device; None for any other error."""
    if isinstance(error, MemoryError):
        return f"MemoryError: {error}".removesuffix(": ")
    if isinstance(error, OSError):
        return f"OSError: {error}" if error.errno == errno.ENOMEM else None
    said = error.happened if isinstance(error, PipelineError) else str(error)[:_LONGEST]
    # torch and CUDA: RuntimeError; a library that cannot be loaded: ImportError
    return said if isinstance(error, PipelineError | RuntimeError | ImportError) and _WORDS.search(said) else None


def limit_words() -> str | None:
    """'a limit of 2,048 MiB is set on each process's memory (ulimit -v)'; None where none is set."""
    if sys.platform == "win32":
        return None
    import resource

    for option, kind in (("-v", resource.RLIMIT_AS), ("-d", resource.RLIMIT_DATA)):
        least, _ = resource.getrlimit(kind)
        if least != resource.RLIM_INFINITY:
            return f"a limit of {least // 2**20:,} MiB is set on each process's memory (ulimit {option})"
    return None
