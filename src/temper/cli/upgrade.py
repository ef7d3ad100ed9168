"""`temper upgrade`: another version of a library."""

from typing import Annotated

from typer import Argument, Option

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper upgrade tensorrt_rtx 1.5.0.114 -C studies/mine --plan",)


def upgrade(
    library: Annotated[
        str, Argument(help="File of temper/engines/ or temper/backends/, such as tensorrt_rtx.", show_default=False)
    ],
    version: Annotated[str, Argument(help="A version number.", show_default=False)],
    directory: Directory = ".",
    plan: Annotated[bool, Option("--plan", help="Only show what would run, and why.")] = False,
    cores: Annotated[int, Option(metavar="N", help="For Snakemake.")] = 1,
) -> int:
    """Plan, run and compare it."""
    from temper.comparison.upgrade import upgrade as upgrade_study

    stand_in(directory)
    return upgrade_study(library=library, version=version, only_plan=plan, cores=cores)
