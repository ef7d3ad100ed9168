"""`temper clean`: remove what Temper made of a study."""

import argparse
import sys
from typing import Any


def clean(arguments: argparse.Namespace) -> int:
    """Say what would go and ask; remove it where a person agrees."""
    from temper.commands.study_folder import stand_in
    from temper.errors import ConfigError
    from temper.orchestration.clean import clean as clean_study

    stand_in(arguments.directory)
    try:
        said = clean_study(agreed=arguments.yes)
    except ConfigError as error:
        if not sys.stdin.isatty():
            raise
        answer = input(f"{error.happened}. Remove them? [y/N] ")
        said = clean_study(agreed=True) if answer.strip().lower() in ("y", "yes") else ["nothing was removed"]
    for line in said:
        print(line)
    return 0


def add_to(commands: Any) -> None:
    """Describe the command to argparse."""
    text = "remove what Temper made of a study; asks first, and leaves what it did not make"
    command = commands.add_parser("clean", help=text, description=text)
    command.set_defaults(function=clean)
    command.add_argument("--directory", default=".", help="the study's folder (default: this one)")
    command.add_argument("--yes", action="store_true", help="without asking")
