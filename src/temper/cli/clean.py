"""`temper clean`: remove what Temper made of a study."""

import sys
from typing import Annotated

from typer import Option

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper clean -C studies/mine",)


def clean(
    directory: Directory = ".",
    yes: Annotated[bool, Option("--yes", help="Without asking.")] = False,
) -> int:
    """Say what would go and ask; remove it where a person agrees."""
    from temper.errors import ConfigError
    from temper.orchestration.clean import clean as clean_study

    stand_in(directory)
    try:
        said = clean_study(agreed=yes)
    except ConfigError as error:
        if not sys.stdin.isatty():
            raise
        answer = input(f"{error.happened}. Remove them? [y/N] ")
        said = clean_study(agreed=True) if answer.strip().lower() in ("y", "yes") else ["nothing was removed"]
    for line in said:
        print(line)
    return 0
