"""`temper table`: the result table of a study, from its report."""

from pathlib import Path
from typing import Annotated

from typer import Option

from temper.cli.command import Directory
from temper.errors import DataError

EXAMPLES = ("temper table -C studies/mine", "temper table --filed results/cpu-2c/sst2-minilm")


def table(
    directory: Directory = ".",
    filed: Annotated[
        str | None,
        Option(metavar="DIR", help="Instead: the report of a folder results/<machine>/<study>, as Markdown."),
    ] = None,
) -> int:
    """Print the choice and the table.

    Raises:
        DataError: the study has no report.
    """
    if filed is not None:
        from temper.report.filed import summary_of

        print(summary_of(Path(filed)), end="")
        return 0
    from temper.report.terminal import print_summary

    folder = Path(directory) / "artifacts/report"
    if not (folder / "summary.json").is_file():
        raise DataError(
            asked=f"print the table of {directory}",
            happened=f"{folder}/summary.json does not exist",
            spoiled="nothing",
            fix=f"run the study first: temper run -C {directory} (the embedded one: make reproduce)",
        )
    print_summary(folder)
    return 0
