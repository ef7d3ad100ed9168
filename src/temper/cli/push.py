"""`temper push`: one study's artifacts to DVC's remote."""

from typing import Annotated

from typer import Option

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper push -C studies/mine",)


def push(
    directory: Directory = ".",
    remote: Annotated[
        str | None, Option(metavar="NAME", help="Name of the remote (default: DVC's default remote).")
    ] = None,
) -> int:
    """As `dvc push` in the study's folder, unless a key stands in a file that git keeps."""
    from temper.orchestration.push import push as push_study

    stand_in(directory)
    push_study(remote=remote)
    return 0
