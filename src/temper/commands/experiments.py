"""`temper experiments` and `temper track`: a study as DVC sees it."""

import argparse
from typing import Any


def experiments(arguments: argparse.Namespace) -> int:
    """Print what each experiment of this commit changed, and what was chosen then; with `--all` every column that DVC has."""
    from temper.commands.study_folder import stand_in

    stand_in(arguments.directory)
    if arguments.all:
        from temper.orchestration.dvc import dvc

        return dvc("exp", "show").returncode
    from temper.comparison.overview import print_experiments

    print_experiments()
    return 0


def track(arguments: argparse.Namespace) -> int:
    """Give a study what DVC needs and it has not."""
    from temper.commands.study_folder import stand_in
    from temper.orchestration.study_repository import make_ready

    stand_in(arguments.directory)
    written = make_ready()
    if written:
        print(f"written for DVC, for git to keep: {' '.join(written)}")
    return 0


def add_to(commands: Any) -> None:
    """Describe the commands to argparse."""
    text = "experiments of this commit: what each changed, and what was chosen then"
    command = commands.add_parser("experiments", help=text, description=text)
    command.set_defaults(function=experiments)
    command.add_argument("--directory", default=".", help="the study's folder (default: this one)")
    command.add_argument("--all", action="store_true", help="every column that DVC has, some hundreds (dvc exp show)")
    text = "give a study its dvc.yaml and, below studies/, a DVC repository of its own, where it has none"
    command = commands.add_parser("track", help=text, description=text)
    command.set_defaults(function=track)
    command.add_argument("--directory", default=".", help="the study's folder (default: this one)")
