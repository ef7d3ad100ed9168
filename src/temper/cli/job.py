"""`temper job`: one job, as a DVC stage runs it."""

from typing import Annotated

from typer import Argument, Option

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper job export_onnx fp32",)


def job(
    rule: Annotated[str, Argument(help="Rule of the Snakefile.")],
    row: Annotated[str, Argument(help="Row of params.yaml, where the rule has several.")] = "",
    directory: Directory = ".",
    cores: Annotated[int, Option(metavar="N", help="For Snakemake.")] = 1,
) -> int:
    """Run it."""
    from temper.orchestration.dvc_stage import run_job

    stand_in(directory)
    return run_job(rule, row, cores)
