"""`temper run`: a study by Snakemake, and what came out of it: what `make reproduce` and `make study` call."""

import argparse
import contextlib
import io
from pathlib import Path
from typing import Any

from temper.errors import ConfigError


def run(arguments: argparse.Namespace) -> int:
    """Run a study's jobs with a line for each as it works (temper/job_lines.py), then print the choice and the table.

    Snakemake runs in this process: a run with nothing to do is over in the time that Snakemake takes to find that out.
    """
    from snakemake.cli import args_to_api, parse_args, print_exception

    from temper.report.terminal import print_summary
    from temper.tracking.jobs import checkout_of

    folder = Path(arguments.directory).resolve()
    if not (folder / "params.yaml").is_file():
        raise ConfigError(
            asked=f"run the study in {arguments.directory}",
            happened=f"{Path(arguments.directory) / 'params.yaml'} does not exist",
            spoiled="nothing",
            fix="name the folder of a study: temper studies lists those of this checkout",
        )
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # which profile it uses is no news to who runs a study
            again = ["--forcerun", *arguments.again] if arguments.again else []
            parser, given = parse_args([*_options(checkout_of(folder), folder, arguments.cores), *again])
        done = args_to_api(given, parser)
    except Exception as error:
        print_exception(error)
        return 1
    if done:
        print(flush=True)
        print_summary(folder / "artifacts/report")
    return 0 if done else 1


def _options(checkout: Path, folder: Path, cores: str) -> list[str]:
    return ["--snakefile", f"{checkout}/Snakefile", "--directory", str(folder), "--cores", cores, "--logger", "temper"]


def add_to(commands: Any) -> None:
    """Describe the command to argparse."""
    text = "run a study, and print its choice and its table"
    command = commands.add_parser("run", help=text, description=text)
    command.add_argument("--directory", default=".", help="the study's folder (default: this one)")
    command.add_argument("--cores", default="1", help="for Snakemake: a number, or 'all' (default: 1)")
    command.add_argument(
        "--again", nargs="+", metavar="RULE", help="rules whose jobs run again although nothing changed: remeasure"
    )
    command.set_defaults(function=run)
