"""`temper forget`: versions of other makers' that were kept count no more."""

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper forget -C studies/mine",)


def forget(directory: Directory = ".") -> int:
    """Let the installed versions count again."""
    from temper.orchestration.sync import forget_kept_versions

    stand_in(directory)
    print("the installed versions count again" if forget_kept_versions() else "no versions were kept")
    return 0
