"""What all commands share: options that take several values, the study's folder, and errors of the command line in four parts."""

import re
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any

from typer import Context, Option
from typer.core import TyperArgument, TyperCommand, TyperOption

from temper.errors import UsageError, in_plain_words
from temper.reading.typed import typed_study

Directory = Annotated[
    str, Option("--directory", "-C", metavar="DIR", help="The study's folder.", show_default="this one")
]
Machine = Annotated[
    str | None,
    Option(
        metavar="NAME", help="An entry of machines: whose choice is meant, where candidates are measured on several."
    ),
]
Cores = Annotated[str, Option(metavar="N", help="For Snakemake: a number, or 'all'.")]
Columns = Annotated[
    list[str] | None, Option(metavar="NAME...", help="Names of the columns of a TSV or CSV file without a header.")
]
Quoting = Annotated[
    bool | None, Option("--quoting/--no-quoting", help="Whether fields of TSV or CSV may stand in double quotes.")
]
Remote = Annotated[str | None, Option(metavar="NAME", help="Name of the remote (default: DVC's default remote).")]
ANOTHER_FOLDER = ("studies", "init", "new-study", "remove")  # commands whose -C is no study's
_NUMBER = re.compile(r"-\d+(\.\d*)?$")


def one_by_one(arguments: Sequence[str], several: Collection[str]) -> list[str]:
    """`--columns a b` as `--columns a --columns b`, which is what typer reads.

    Args:
        arguments: of a command.
        several: its options that take several values; one takes what follows up to the next option.
    """
    found: list[str] = []
    open_option, first = None, False
    for place, argument in enumerate(arguments):
        if argument == "--":
            return [*found, *arguments[place:]]
        if argument in several:
            found.append(argument)
            open_option, first = argument, True
        elif argument.startswith("-") and not _NUMBER.match(argument):
            found.append(argument)
            open_option = None
        else:
            found += [argument] if open_option is None or first else [open_option, argument]
            first = False
    return found


class Command(TyperCommand):
    """A command of `temper`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does, several values after one option."""
        several = {
            flag for each in self.params if isinstance(each, TyperOption) and each.multiple for flag in each.opts
        }
        return super().parse_args(ctx, one_by_one(args, several))

    def invoke(self, ctx: Any) -> Any:
        """As typer does; commands that are named in answer name the study's folder as it was typed."""
        with typed_study(None if ctx.info_name in ANOTHER_FOLDER else ctx.params.get("directory")):
            return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """As typer does, without the Python type behind an argument's name."""
        for each in self.params:
            if isinstance(each, TyperArgument):
                each.display_type_rich = lambda ctx: None  # type: ignore[method-assign]
        super().format_options(ctx, formatter)


def misunderstood(error: Any, arguments: Sequence[str]) -> UsageError:
    """What typer says of a command line, in four parts.

    Args:
        error: typer's, with the context of the command that it is about.
        arguments: of `temper`.
    """
    context: Context | None = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "temper"
    usage = context.command.get_usage(context).partition(": ")[2] if context is not None else "temper COMMAND"
    return UsageError(
        asked=shlex.join(["temper", *arguments]),
        happened=in_plain_words(" ".join(error.format_message().split())).replace(": has to", ": it has to"),
        affected="nothing: nothing was run",
        fix=_meant(error, context, arguments) or f"usage: {' '.join(usage.split())}; {path} --help says what each is",
    )


def _meant(error: Any, context: Context | None, arguments: Sequence[str]) -> str | None:
    """The command line that was probably meant; None where there is none to guess.

    An option that is missing, and a study's folder without -C, which `temper run` takes and other commands do not.
    """
    missing = getattr(error, "param", None)
    typed = shlex.join(["temper", *arguments])
    if isinstance(missing, TyperOption) and error.format_message().startswith("Missing"):
        return f"{typed} {missing.opts[0]} {missing.metavar or missing.name.upper()}"
    takes = {flag for each in context.command.params for flag in each.opts} if context is not None else set()
    last = arguments[-1] if arguments else ""
    if "-C" in takes and "unexpected extra" in error.format_message() and (Path(last) / "params.yaml").is_file():
        return shlex.join(["temper", *arguments[:-1], "-C", last])
    return None
