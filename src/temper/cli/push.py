"""`temper push`: one study's artifacts to DVC's remote."""

from temper.cli.command import Directory, Remote
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper push -C studies/mine",)


def push(
    directory: Directory = ".",
    remote: Remote = None,
) -> int:
    """As `dvc push` in the study's folder, unless a key stands in a file that git keeps."""
    from temper.orchestration.push import push as push_study

    stand_in(directory)
    push_study(remote=remote)
    return 0
