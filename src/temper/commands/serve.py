"""`temper serve`: what the decision chose, over HTTP. It is packaged first, test rows replayed, and the package serves."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from temper.commands.ending import Ended, cleaning_up
from temper.package.runtime.options import add_options

_SERVER = (
    "host",
    "port",
    "max_batch_tokens",
    "max_batch_rows",
    "max_delay_ms",
    "max_waiting",
    "max_rows",
    "max_body_mib",
)


def _options(arguments: argparse.Namespace) -> list[str]:
    """The server's options, as its own command takes them."""
    found = []
    for name in (*_SERVER, "timeout_s"):
        value = getattr(arguments, name)
        if value is not None:
            found += [f"--{name.replace('_', '-')}", str(value)]
    if arguments.api_key_file is not None:
        found += ["--api-key-file", os.path.abspath(arguments.api_key_file)]
    return [*found, *(["--quiet"] if arguments.quiet else [])]


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


def serve(arguments: argparse.Namespace) -> int:
    """Serve a package, or the study's choice, until SIGTERM or Ctrl-C."""
    from temper.commands.study_folder import stand_in
    from temper.package.write import write_package

    options = _options(arguments)
    if arguments.package is not None:
        with cleaning_up():
            return _run(Path(arguments.package).resolve(), options)
    stand_in(arguments.directory)
    with cleaning_up(), tempfile.TemporaryDirectory(prefix="temper-serve.") as scratch:
        folder = Path(scratch) / "package"
        lines = write_package(
            folder,
            form="folder",
            workload=arguments.workload,
            candidate=arguments.candidate,
            anyway=arguments.anyway,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
        print("\n".join(lines[1:-1]), file=sys.stderr, flush=True)
        return _run(folder, options)


def add_to(commands: Any) -> None:
    """Describe the command to argparse."""
    text = "answer over HTTP with what was chosen, or with a package"
    command = commands.add_parser("serve", help=text, description=text)
    command.set_defaults(function=serve)
    command.add_argument("--directory", default=".", help="the study's folder (default: this one)")
    command.add_argument("--package", metavar="FOLDER", help="a package that was written before, instead of a study")
    command.add_argument("--workload", help="whose decision counts, where it differs between workloads")
    command.add_argument("--candidate", help="a row of candidates (default: the decision's choice)")
    command.add_argument(
        "--anyway", action="store_true", help="also what is beyond the budget, disturbed or without a verdict"
    )
    add_options(command)
