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
    from temper.orchestration.dvc import dvc
    from temper.orchestration.remote_keys import check_no_keys

    stand_in(directory)
    check_no_keys("push this study")
    return dvc("push", *([] if remote is None else ["--remote", remote])).returncode
