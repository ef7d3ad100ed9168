"""`temper sync`: every artifact checked, and Snakemake's memory brought in line."""

from typing import Annotated

from typer import Option

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper sync -C studies/mine",)


def sync(
    directory: Directory = ".",
    keep: Annotated[bool, Option("--keep", help="Take artifacts made with other library versions.")] = False,
    force: Annotated[bool, Option("--force", help="Also where a run is noted on another machine.")] = False,
) -> int:
    """Check, and say what was brought in line."""
    from temper.orchestration.sync import sync as sync_study

    stand_in(directory)
    for line in sync_study(keep=keep, force=force) or ["every artifact is what Snakemake left here"]:
        print(line)
    return 0
