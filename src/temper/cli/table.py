"""`temper table`: the result table of a study, from its report."""

from pathlib import Path
from typing import Annotated

from typer import Option

from temper.cli.command import Directory
from temper.cli.study_folder import check_filed_folder, check_study_folder
from temper.errors import DataError

EXAMPLES = ("temper table -C studies/mine", "temper table --filed results/cpu-2c/sst2-minilm")


def table(
    directory: Directory = ".",
    filed: Annotated[
        str | None,
        Option(
            metavar="DIR",
            help="Instead: of a folder results/<machine>/<study>; behind a pipe the whole report, as Markdown.",
        ),
    ] = None,
) -> int:
    """Print the choice and the table.

    Raises:
        DataError: the study has no report.
    """
    if filed is not None:
        from temper.report.terminal import print_filed

        check_filed_folder(Path(filed), f"print the table of {filed}")
        print_filed(Path(filed))
        return 0
    from temper.report.terminal import print_summaries, reports_in

    if not reports_in(Path(directory)):
        check_study_folder(directory, f"print the table of {directory}")
        raise DataError(
            asked=f"print the table of {directory}",
            happened=f"{Path(directory)}/artifacts/report/summary.json does not exist",
            affected="nothing",
            fix="run the study first: temper run",
        )
    print_summaries(Path(directory))
    return 0
