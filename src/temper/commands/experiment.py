"""`temper experiment`: `dvc exp run` of one study, where nothing of a person's is in its way."""

import argparse
from typing import Any


def experiment(arguments: argparse.Namespace) -> int:
    """Look, then run it."""
    from temper.commands.study_folder import stand_in
    from temper.orchestration.experiment import run_experiment

    stand_in(arguments.directory)
    return run_experiment(arguments.name, arguments.changes)


def add_to(commands: Any) -> None:
    """Describe the command to argparse."""
    text = "dvc exp run of one study, in its own folder: refuses where DVC would remove what is nowhere else"
    command = commands.add_parser("experiment", help=text, description=text)
    command.set_defaults(function=experiment)
    command.add_argument("--directory", default=".", help="the study's folder (default: this one)")
    command.add_argument("--name", help="of the experiment")
    command.add_argument(
        "-S",
        "--set-param",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a value of params.yaml; may be repeated",
    )
