"""From a command line to an exit code: 0 done, 1 refused or failed, 2 not understood, 130 Ctrl-C, 141 nobody reads on."""

import errno
import os
import sys
from collections.abc import Sequence

from temper.environment.memory import limit_words, memory_reason
from temper.environment.missing_module import missing_module
from temper.environment.own_process import environment, python_command, settle
from temper.errors import ConfigError, NoMemoryError, PipelineError, StorageError, UsageError

# what a disk or a path may refuse, and what helps
_DISK = {
    errno.ENOSPC: "free some space, or write elsewhere, and run it again",
    errno.EDQUOT: "free some of your quota, or write elsewhere, and run it again",
    errno.EROFS: "mount the file system writable, or work in a copy of the folder",
    errno.EACCES: "give yourself permission there, or work in a copy of the folder",
    errno.EPERM: "give yourself permission there, or work in a copy of the folder",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "put a file in the place of the link that leads to itself",
    errno.ENOTDIR: "correct the path: a file stands where a folder has to be",
}
FAILED, NOT_UNDERSTOOD, INTERRUPTED, NOBODY_READS = 1, 2, 130, 128 + 13  # the last as a shell counts SIGPIPE
COMPLETION = "_TEMPER_COMPLETE"  # a shell asks with it what may come next


def _use_code_of_this_checkout(arguments: Sequence[str]) -> None:
    """Start again with the code of the checkout we stand in, where this is another one's.

    DVC runs an experiment in a temporary checkout, and finds this command on the path all the same.
    """
    from temper.environment.machine import SOURCE_ROOT
    from temper.orchestration.jobs import checkout_of

    own = checkout_of() / "src"
    if own.resolve() != SOURCE_ROOT:
        path = os.pathsep.join(filter(None, [str(own), os.environ.get("PYTHONPATH")]))
        os.execve(sys.executable, python_command("-m", "temper.cli", *arguments), environment(PYTHONPATH=path))


def run() -> int:
    """The `temper` command."""
    settle()
    _use_code_of_this_checkout(sys.argv[1:])
    return main()


def _check_arguments(arguments: Sequence[str]) -> None:
    """Raise ConfigError where an argument holds bytes that are no text: it could neither be printed nor written."""
    for argument in arguments:
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in argument):
            raise ConfigError(
                asked=f"run temper with the argument {argument!r}",
                happened="it is not UTF-8",
                affected="nothing",
                fix="rename the file (convmv -f latin1 -t utf8), or write the text in UTF-8",
            )


def _let_go_of_stdout() -> None:
    """What is left in the buffer goes nowhere: Python would try to write it again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _ran(arguments: Sequence[str]) -> int:
    """Exit code of a command.

    Raises:
        UsageError: there is no such command, or it has not such options.
    """
    import typer

    from temper.cli.app import command_line
    from temper.cli.command import misunderstood

    if COMPLETION in os.environ:
        command_line().main(prog_name="temper")  # answers the shell, and ends
    try:
        with command_line().make_context("temper", list(arguments)) as context:
            return int(context.command.invoke(context) or 0)
    except typer.Exit as done:
        return int(done.exit_code)
    except typer.TyperException as error:
        raise misunderstood(error, arguments) from None


def main(argv: list[str] | None = None) -> int:
    """Run one command; errors that a user can cause end in their four parts and the exit codes above."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        _check_arguments(arguments)
        code = _ran(arguments)
        sys.stdout.flush()
        return code
    except PipelineError as error:
        print(f"{type(error).__name__}:{error}", file=sys.stderr)
        return NOT_UNDERSTOOD if isinstance(error, UsageError) else FAILED
    except BrokenPipeError:  # whoever read the output has enough: `temper studies | head`
        _let_go_of_stdout()
        return NOBODY_READS
    except (MemoryError, OSError, RuntimeError, ImportError) as error:
        if (reason := memory_reason(error)) is not None:
            lacking = NoMemoryError(
                asked=f"run temper {' '.join(arguments)}",
                happened="; ".join(filter(None, [f"memory ran out: {reason}", limit_words()])),
                affected="what it was writing: that is not whole, or not there",
                fix="a higher limit, or less beside it on this machine; then the same command again",
            )
            print(f"NoMemoryError:{lacking}", file=sys.stderr)
            return FAILED
        absent = missing_module(
            error, f"run temper {' '.join(arguments)}", "this command; what it had done before stays"
        )
        if absent is not None:
            print(f"LibraryError:{absent}", file=sys.stderr)
            return FAILED
        if not isinstance(error, OSError) or error.errno not in _DISK:
            raise
        if error.errno == errno.ENOSPC:
            _let_go_of_stdout()
        known = StorageError(
            asked=f"run temper {' '.join(arguments)}",
            happened=f"{error.strerror}, of {error.filename or 'its output or of a file that it writes'}",
            affected="what it was writing: that is not whole, or not there",
            fix=_DISK[error.errno],
        )
        print(f"StorageError:{known}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("temper: interrupted", file=sys.stderr)
        return INTERRUPTED
