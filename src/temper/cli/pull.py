"""`temper pull`: one study's artifacts and outside files from DVC's remote."""

from typing import Annotated

from typer import Option

from temper.cli.command import Directory, Remote
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper pull -C studies/mine",)


def pull(
    directory: Directory = ".",
    remote: Remote = None,
    force: Annotated[
        bool, Option("--force", help="Files in the way that are nowhere else are moved to set_aside/.")
    ] = False,
) -> int:
    """Pull the study, or touch nothing and say why."""
    from temper.orchestration.pull import pull as pull_study

    stand_in(directory)
    for line in pull_study(remote=remote, force=force):
        print(line)
    return 0
