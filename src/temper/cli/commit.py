"""`temper commit`: a finished study handed to DVC."""

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper commit -C studies/mine",)


def commit(directory: Directory = ".") -> int:
    """Let DVC know what Snakemake made."""
    from temper.orchestration.dvc_stage import commit as commit_study

    stand_in(directory)
    return commit_study()
