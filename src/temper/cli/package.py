"""`temper package`: what the decision chose, as a folder, a Triton repository or an image that answers without Temper."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from temper.cli.command import Directory, Machine
from temper.cli.ending import cleaning_up
from temper.cli.study_folder import stand_in
from temper.reading.typed import as_typed

EXAMPLES = ("temper package -C studies/mine --to served", "temper package -C studies/mine --to repository --for triton")
Form = Literal["folder", "triton", "docker", "openvino", "hub"]
Workload = Annotated[
    str | None, Option(metavar="NAME", help="Whose decision counts, where it differs between workloads.")
]
Candidate = Annotated[
    str | None, Option(metavar="NAME", help="An entry of candidates (default: the decision's choice).")
]
Anyway = Annotated[bool, Option("--anyway", help="Also what is beyond the budget, disturbed or without a verdict.")]


def package(
    to: Annotated[str, Option(metavar="FOLDER", help="The folder to make; it may not be there.", show_default=False)],
    directory: Directory = ".",
    form: Annotated[
        Form,
        Option(
            "--for",
            help="folder: Python alone; triton: a model repository; docker: a Dockerfile around the folder; openvino: OpenVINO "
            "Model Server's layout; hub: a model hub's.",
        ),
    ] = "folder",
    workload: Workload = None,
    candidate: Candidate = None,
    machine: Machine = None,
    anyway: Anyway = False,
) -> int:
    """Write the package and print what is in it and how it is used."""
    from temper.package.write import write_package

    target = Path(os.path.abspath(to))
    stand_in(directory)
    with cleaning_up(), contextlib.redirect_stdout(sys.stderr):  # what libraries say is no result
        lines = write_package(
            target,
            form=form,
            workload=workload,
            candidate=candidate,
            anyway=anyway,
            machine=machine,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    print(as_typed("\n".join(lines)))
    return 0
