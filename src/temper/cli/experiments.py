"""`temper experiments`: what each experiment of this commit changed, and what was chosen then."""

from typing import Annotated

from typer import Option

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper experiments -C studies/mine",)


def experiments(
    directory: Directory = ".",
    every: Annotated[bool, Option("--all", help="Every column that DVC has, some hundreds (dvc exp show).")] = False,
) -> int:
    """Print them."""
    stand_in(directory)
    if every:
        from temper.orchestration.dvc import dvc
        from temper.orchestration.handed_over import check_committed

        check_committed("list experiments")
        return dvc("exp", "show").returncode
    from temper.comparison.overview import print_experiments

    print_experiments()
    return 0
