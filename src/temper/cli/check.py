"""`temper check`: params files against the closed schema."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from temper.cli.command import Directory
from temper.errors import ConfigError

EXAMPLES = ("temper check studies/mine/params.yaml", "temper check -C studies/mine --resolved")


def check(
    files: Annotated[
        list[str] | None, Argument(metavar="FILE", help="Params files, or studies' folders (default: the study's).")
    ] = None,
    directory: Directory = ".",
    resolved: Annotated[
        bool, Option("--resolved", help="Print the study with every value, and the rows of its recipe.")
    ] = False,
) -> int:
    """Check each file.

    Raises:
        ConfigError: a file is not there, or no study.
    """
    from temper.study.params_file import load_params
    from temper.study.params_lines import naming_lines
    from temper.study.params_text import as_yaml
    from temper.study.resolve import spelt_out
    from temper.study.study import read_study

    for named in files or [directory]:
        file = str(Path(named) / "params.yaml") if Path(named).is_dir() else named
        if not Path(file).is_file():
            raise ConfigError(
                asked=f"check {file}", happened=f"{file} is not there", affected="nothing", fix="correct its path"
            )
        section = load_params(file)
        if not isinstance(section, dict):
            raise ConfigError(
                asked=f"check {file}",
                happened="it holds no keys",
                affected="nothing",
                fix="start from the params.yaml of this repository",
            )
        with naming_lines(file):
            study = read_study(section)
        if resolved:
            print(as_yaml(spelt_out(section)), end="")
            continue
        print(f"{file}: {study.study}, {len(study.candidates)} candidates, closed schema holds")
    return 0
