"""Which commands there are, in the order of the help; a command's file is imported when it is asked for."""

import functools
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any

import typer
from typer import Context, Option
from typer.core import TyperCommand, TyperGroup

from temper.cli.command import Command

# command: what it does in a line, by what a person wants of it
SECTIONS: dict[str, dict[str, str]] = {
    "A study": {
        "init": "make a study from a checkpoint and data",
        "plan": "what would run, and why",
        "run": "run a study, and print its choice and its table",
        "table": "print the result table of a study",
        "report": "the report as a page, from records alone: opens it in a browser",
        "check": "check params files against the closed schema",
        "studies": "the studies, what each needs, and what was last measured where",
    },
    "What was chosen": {
        "optimize": "the fastest artifact that is still right, found within a time budget",
        "predict": "labels with confidences for texts, images or a file of rows",
        "package": "write what was chosen as a package that answers without Temper",
        "serve": "answer over HTTP with what was chosen, or with a package",
    },
    "Experiments and versions": {
        "experiment": "dvc exp run of one study, where nothing of yours is in its way",
        "experiments": "experiments of this commit: what each changed, and what was chosen then",
        "compare": "experiments, commits or candidates pair by pair, and a plot",
        "diagnose": "where a file's layers part from the float file's: the first beyond a tolerance, NaN, saturation",
        "calibration-study": "calibration methods × sample counts as experiments",
        "upgrade": "another version of a library: plan, run, compare",
        "forget": "let the installed versions count again where other makers' were kept",
    },
    "Files": {
        "raw": "copy a study's outside files into its data/raw/",
        "pull": "fetch one study's artifacts from DVC's remote, and check them",
        "push": "store one study's artifacts on DVC's remote",
        "verify-remote": "read a DVC remote's objects back, and push damaged ones again",
        "results": "file this machine's records under results/<machine>/<study>/",
        "track": "give a study what DVC needs and it has not",
        "commit": "hand a finished study to DVC",
        "sync": "check every artifact, tell Snakemake: after dvc checkout, apply, a kill",
        "clean": "remove what Temper made of a study; asks first",
        "remove": "remove a study that init made; asks first, and leaves what is yours",
    },
}
# what only the workflow, DVC and this repository's Makefile call
HIDDEN = {
    "settings": "write settings.json (the first DVC stage)",
    "job": "run one job, as a DVC stage does",
    "lint": "snakemake --lint, without what does not apply",
    "pages": "write the tables of these pages anew from results/",
    "figures": "draw the plots of these pages anew from results/",
}
ALIASES = {"new-study": "init"}
HELP = {name: text for section in SECTIONS.values() for name, text in section.items()}
_FILES = {"run": "run_study"}  # temper.cli.run is what starts the command itself


def file_of(name: str) -> str:
    """Name of a command's module, which is its function's."""
    own = ALIASES.get(name, name)
    return _FILES.get(own, own.replace("-", "_"))


@functools.cache
def command_of(name: str) -> TyperCommand:
    """A command, its file imported."""
    file = file_of(name)
    module = import_module(f"temper.cli.{file}")
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    # \b: lines stay as they are
    epilog = "\b\n" + "\n".join(["For example:", *(f"  {line}" for line in module.EXAMPLES)])
    hidden = name in HIDDEN or name in ALIASES
    text = {**HELP, **HIDDEN}[ALIASES.get(name, name)]
    more = getattr(module, "MORE", "")
    alone.command(name, cls=Command, help=f"{text[0].upper()}{text[1:]}.\n\n{more}", epilog=epilog, hidden=hidden)(
        getattr(module, file)
    )
    command = typer.main.get_command(alone)
    assert isinstance(command, TyperCommand)
    return command


class Commands(TyperGroup):
    """The commands by name; those that only the workflow calls are not in the help."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names that a person sees."""
        return list(HELP)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command, or None where there is none of that name."""
        return command_of(cmd_name) if cmd_name in {**HELP, **HIDDEN, **ALIASES} else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As typer does; a typing error is answered with the names that are near it."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as error:  # typer itself looks among commands that are made already
            near = get_close_matches(args[0], HELP) if args else []
            if near:
                error.message = f"{error.message.rstrip('.')}. Did you mean {', '.join(map(repr, near))}?"
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of the help, without importing what is in it."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"temper {version('temper')}")
        except PackageNotFoundError:  # run from a checkout by PYTHONPATH
            print("temper, not installed: the code of this checkout")
        raise typer.Exit


def _temper(
    context: Context,
    version: Annotated[
        bool, Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Make fast engines of a fine-tuned classifier, and measure what each gains and costs."""


@functools.cache
def command_line() -> TyperGroup:
    """The `temper` command as typer has it."""
    app = typer.Typer(
        cls=Commands,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
        epilog="temper COMMAND --help has an example of each. Exit codes: 0 done, 1 refused or failed (the error says why), "
        "2 not understood, 130 Ctrl-C (docs/commands.md).",
    )
    app.callback()(_temper)
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group
