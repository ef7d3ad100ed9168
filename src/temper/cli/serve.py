"""`temper serve`: what the decision chose, over HTTP. It is packaged first, test rows replayed, and the package serves."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from typer import Option

from temper.cli.command import Directory, Machine
from temper.cli.ending import Ended, cleaning_up
from temper.cli.package import Anyway, Candidate, Workload

EXAMPLES = ("temper serve -C studies/mine --port 8080", "temper serve --package served")
MORE = "The server's own defaults: served -h of a package, and docs/serving.md."


def _options(given: Mapping[str, float | str | None], quiet: bool) -> list[str]:
    """The server's options that were given, as its own command takes them."""
    said = [(f"--{name.replace('_', '-')}", str(value)) for name, value in given.items() if value is not None]
    return [*(part for pair in said for part in pair), *(["--quiet"] if quiet else [])]


def _run(folder: Path, options: list[str]) -> int:
    """The package's own server as a process; it ends with this one."""
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "package_runtime", "serve", "--folder", str(folder), *options]
    server = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"})
    while True:
        try:
            return server.wait()
        except Ended:
            server.terminate()  # it answers what it accepted
        except KeyboardInterrupt:  # the terminal's goes to both
            continue


def serve(
    directory: Directory = ".",
    package: Annotated[
        str | None, Option(metavar="FOLDER", help="A package that was written before, instead of a study.")
    ] = None,
    workload: Workload = None,
    candidate: Candidate = None,
    machine: Machine = None,
    anyway: Anyway = False,
    host: Annotated[str | None, Option(help="Address to listen on (default: this machine alone).")] = None,
    port: Annotated[int | None, Option(help="(default: 8080; 0 takes a free one)")] = None,
    max_batch_tokens: Annotated[
        int | None, Option(help="Tokens of one call of the model (default: as measured).")
    ] = None,
    max_batch_rows: Annotated[int | None, Option(help="Rows of one call of the model (default: as measured).")] = None,
    max_delay_ms: Annotated[float | None, Option(help="An idle server waits so long for company (default: 0).")] = None,
    processes: Annotated[
        int | None,
        Option(
            help="That take requests (default: 1 beside a model on the CPU; with a GPU half the processors, 8 at most)."
        ),
    ] = None,
    max_waiting: Annotated[int | None, Option(help="Rows that wait; beyond it 429 (default: 2048).")] = None,
    max_rows: Annotated[int | None, Option(help="Rows of one request (default: 1024).")] = None,
    max_body_mib: Annotated[float | None, Option(help="Of one request (default: 8).")] = None,
    timeout_s: Annotated[float | None, Option(help="For a body, and for an answer (default: 10).")] = None,
    api_key_file: Annotated[
        str | None,
        Option(
            metavar="FILE", help="A file with the key that callers have to send (default: $PACKAGE_API_KEY, or none)."
        ),
    ] = None,
    quiet: Annotated[bool, Option("--quiet", help="No line for each request.")] = False,
) -> int:
    """Serve a package, or the study's choice, until SIGTERM or Ctrl-C."""
    from temper.cli.study_folder import stand_in
    from temper.package.write import write_package
    from temper.reading.typed import as_typed

    given = {
        "host": host,
        "port": port,
        "max_batch_tokens": max_batch_tokens,
        "max_batch_rows": max_batch_rows,
        "max_delay_ms": max_delay_ms,
        "processes": processes,
        "max_waiting": max_waiting,
        "max_rows": max_rows,
        "max_body_mib": max_body_mib,
        "timeout_s": timeout_s,
        "api_key_file": None if api_key_file is None else os.path.abspath(api_key_file),
    }
    options = _options(given, quiet)
    if package is not None:
        with cleaning_up():
            return _run(Path(package).resolve(), options)
    stand_in(directory)
    with cleaning_up(), tempfile.TemporaryDirectory(prefix="temper-serve.") as scratch:
        folder = Path(scratch) / "package"
        lines = write_package(
            folder,
            form="folder",
            workload=workload,
            candidate=candidate,
            anyway=anyway,
            machine=machine,
            verb="serve",
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
        print(as_typed("\n".join(lines[1:-1])), file=sys.stderr, flush=True)
        return _run(folder, options)
