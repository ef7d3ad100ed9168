"""`temper pull`: one study's artifacts and outside files from DVC's remote."""

import argparse
from typing import Any


def pull(arguments: argparse.Namespace) -> int:
    """Pull the study, or touch nothing and say why."""
    from temper.commands.study_folder import stand_in
    from temper.orchestration.pull import pull as pull_study

    stand_in(arguments.directory)
    for line in pull_study(remote=arguments.remote, force=arguments.force):
        print(line)
    return 0


def add_to(commands: Any) -> None:
    """Describe the command to argparse."""
    text = "fetch one study's artifacts and outside files from DVC's remote, and check them"
    command = commands.add_parser("pull", help=text, description=text)
    command.set_defaults(function=pull)
    command.add_argument("--directory", default=".", help="the study's folder (default: this one)")
    command.add_argument("--remote", help="name of the remote (default: DVC's default remote)")
    command.add_argument(
        "--force", action="store_true", help="files in the way that are nowhere else are moved to set_aside/"
    )
