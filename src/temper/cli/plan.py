"""`temper plan`: what would run, and why."""

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper plan -C studies/mine",)


def plan(directory: Directory = ".") -> int:
    """Print the jobs that would run, each with its reason."""
    from temper.orchestration.plan import plan as plan_study

    stand_in(directory)
    return plan_study()
