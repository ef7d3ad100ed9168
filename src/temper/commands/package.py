"""`temper package`: what the decision chose, as a folder, a Triton repository or an image that answers without Temper."""

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from temper.commands.ending import cleaning_up

FORMS = ("folder", "triton", "docker", "openvino", "hub")


def package(arguments: argparse.Namespace) -> int:
    """Write the package and print what is in it and how it is used."""
    from temper.commands.study_folder import stand_in
    from temper.package.write import write_package

    target = Path(os.path.abspath(arguments.to))
    stand_in(arguments.directory)
    with cleaning_up(), contextlib.redirect_stdout(sys.stderr):  # what libraries say is no result
        lines = write_package(
            target,
            form=arguments.form,
            workload=arguments.workload,
            candidate=arguments.candidate,
            anyway=arguments.anyway,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    print("\n".join(lines))
    return 0


def add_to(commands: Any) -> None:
    """Describe the command to argparse."""
    text = "write what was chosen as a package that answers without Temper"
    command = commands.add_parser("package", help=text, description=text)
    command.set_defaults(function=package)
    command.add_argument("--directory", default=".", help="the study's folder (default: this one)")
    command.add_argument("--to", required=True, metavar="FOLDER", help="the folder to make; it may not be there")
    command.add_argument(
        "--for",
        dest="form",
        choices=FORMS,
        default="folder",
        help="folder: Python alone; triton: a model repository; docker: a Dockerfile around the folder; openvino: OpenVINO "
        "Model Server's layout; hub: a model hub's (default: folder)",
    )
    command.add_argument("--workload", help="whose decision counts, where it differs between workloads")
    command.add_argument("--candidate", help="a row of candidates (default: the decision's choice)")
    command.add_argument(
        "--anyway", action="store_true", help="also what is beyond the budget, disturbed or without a verdict"
    )
