"""`temper studies`: the studies of this checkout, a line each."""

import argparse
from typing import Any


def studies(arguments: argparse.Namespace) -> int:
    """Print what each study shows, what it needs, and what was last measured where."""
    from temper.orchestration.jobs import checkout_of
    from temper.studies.listing import listed, table

    for line in table(listed(checkout_of())):
        print(line)
    return 0


def add_to(commands: Any) -> None:
    """Describe the command to argparse."""
    text = "the studies, what each needs, and what was last measured where"
    commands.add_parser("studies", help=text, description=text).set_defaults(function=studies)
