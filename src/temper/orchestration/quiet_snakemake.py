"""Snakemake without its first line, which profile it uses: no news to who runs a study.

`python -m temper.orchestration.quiet_snakemake` takes what `python -m snakemake` takes.
"""

import contextlib
import io
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

INTERRUPTED = 130  # as a shell counts Ctrl-C


def parsed(arguments: Sequence[str]) -> tuple[ArgumentParser, Namespace]:
    """Snakemake's parser and what it made of the arguments.

    Raises:
        SystemExit: it takes none of them, or was asked for its help; an error's words are its code.
        Exception: whatever a profile raises that cannot be read.
    """
    from snakemake.cli import parse_args

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser, given = parse_args(list(arguments))
    except SystemExit as ending:
        raise SystemExit(said.getvalue().strip().rpartition("error: ")[2] if ending.code else 0) from None
    return parser, given


def run_here(arguments: Sequence[str]) -> int:
    """Run Snakemake in this process.

    Returns:
        0; 1 where a job failed or a profile cannot be read, which is said; 130 where a signal ended it and its jobs.

    Raises:
        SystemExit: as `parsed`.
    """
    from snakemake.cli import args_to_api, print_exception

    from temper.orchestration.running_jobs import interrupts

    try:
        parser, given = parsed(arguments)
    except Exception as error:
        print_exception(error)
        return 1
    with interrupts() as came:
        try:
            done = args_to_api(given, parser)
        except Exception as error:
            if not came:
                print_exception(error)
            done = False
        except KeyboardInterrupt:
            done = False
    return INTERRUPTED if came else int(not done)


if __name__ == "__main__":
    sys.exit(run_here(sys.argv[1:]))
