"""`temper track`: what DVC needs of a study."""

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper track -C studies/mine",)
MORE = "That is its dvc.yaml and, below studies/, a DVC repository of its own."


def track(directory: Directory = ".") -> int:
    """Give a study what DVC needs and it has not."""
    from temper.orchestration.study_repository import make_ready

    stand_in(directory)
    written = make_ready()
    if written:
        print(f"written for DVC, for git to keep: {' '.join(written)}")
    return 0
