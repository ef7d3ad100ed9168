"""`temper verify-remote`: a DVC remote's objects read back."""

from temper.cli.command import Directory, Remote
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper verify-remote -C studies/mine",)


def verify_remote(
    directory: Directory = ".",
    remote: Remote = None,
) -> int:
    """Read every object, and push damaged ones again."""
    from temper.orchestration.remote import verify_remote as verify

    stand_in(directory)
    for line in verify(remote):
        print(line)
    return 0
