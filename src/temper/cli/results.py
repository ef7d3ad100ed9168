"""`temper results`: this machine's records, filed below results/."""

from typing import Annotated

from typer import Option

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper results -C studies/mine --machine cpu-2c",)


def results(
    machine: Annotated[str, Option(metavar="NAME", help="Name of this machine's folder.", show_default=False)],
    directory: Directory = ".",
    partial: Annotated[
        bool, Option("--partial", help="Of a study that is not finished: the candidates that were measured.")
    ] = False,
    force: Annotated[
        bool, Option("--force", help="Replace files of that folder that this did not file, or changed ones.")
    ] = False,
) -> int:
    """File them, and say where."""
    from temper.report.results import file_results

    stand_in(directory)
    folder, others = file_results(machine, partial=partial, force=force)
    print(f"filed: {'/'.join(folder.parts[-3:])}")
    if others:
        print(f"not filed by this, left as it was: {', '.join(others)}")
    return 0
