"""`temper experiment`: `dvc exp run` of one study, where nothing of a person's is in its way."""

from typing import Annotated

from typer import Option

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper experiment -C studies/mine --name minmax -S calibrations.main.method=minmax",)
MORE = "In the study's own folder; it refuses where DVC would remove what is nowhere else."


def experiment(
    directory: Directory = ".",
    name: Annotated[str | None, Option(metavar="NAME", help="Of the experiment.")] = None,
    changes: Annotated[
        list[str] | None,
        Option("--set-param", "-S", metavar="KEY=VALUE", help="A value of params.yaml; may be repeated."),
    ] = None,
) -> int:
    """Look, then run it."""
    from temper.orchestration.experiment import run_experiment

    stand_in(directory)
    return run_experiment(name, changes or [])
