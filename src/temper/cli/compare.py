"""`temper compare`: experiments, commits or candidates pair by pair."""

from typing import Annotated

from typer import Argument

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper compare -C studies/mine", "temper compare -C studies/mine more-calibration HEAD")


def compare(
    names: Annotated[
        list[str] | None, Argument(metavar="NAME", help="Experiments or commits (default: all of this commit).")
    ] = None,
    directory: Directory = ".",
) -> int:
    """Write the comparison and print it."""
    from temper.comparison.compare import compare as compare_study

    stand_in(directory)
    compare_study(names or [])
    return 0
