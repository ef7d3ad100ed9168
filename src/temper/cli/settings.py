"""`temper settings`: settings.json, the first DVC stage."""

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper settings -C studies/mine",)


def settings(directory: Directory = ".") -> int:
    """Write it."""
    from temper.orchestration.dvc_stage import write_settings

    stand_in(directory)
    write_settings()
    return 0
