"""`temper remove`: a study that `temper init` made."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from temper.errors import ConfigError

EXAMPLES = ("temper remove mine",)
MORE = "What you put there or changed stays, and is named."


def remove(
    study: Annotated[str, Argument(help="Name of the study, or its folder.", show_default=False)],
    yes: Annotated[bool, Option("--yes", help="Without asking.")] = False,
    directory: Annotated[
        str, Option("--directory", "-C", metavar="DIR", help="In whose checkout.", show_default="this one")
    ] = ".",
) -> int:
    """Say what would go and ask; remove it where a person agrees.

    Raises:
        ConfigError: there is no such study, `temper init` did not make it, or nobody agreed.
    """
    from temper.orchestration.jobs import checkout_of
    from temper.orchestration.set_aside import listed
    from temper.studies import made

    asked = f"remove the study {study}"
    named = Path(directory) / study
    folder = named if (named / "params.yaml").is_file() else checkout_of(directory) / "studies" / study
    if not folder.is_dir() or ("/" in study.rstrip("/") and folder != named):
        raise ConfigError(
            asked=asked,
            happened=f"{folder} does not exist" if not folder.is_dir() else f"{named} holds no params.yaml",
            affected="nothing",
            fix="name a study: temper studies lists those of this checkout",
        )
    found = made.contents(folder, asked)
    going = made.in_words(folder, found)
    stays = f"; yours, which stay: {listed(found.others)}" if found.others else ""
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError(
                asked=asked,
                happened=f"{going} would go{stays}",
                affected="nothing yet",
                fix="the same command with --yes",
            )
        if input(f"{folder.name}: {going} would go{stays}. Remove them? [y/N] ").strip().lower() not in ("y", "yes"):
            print("nothing was removed")
            return 0
    made.remove(folder, found)
    print(f"removed of {folder.name}: {going}")
    if found.others:
        print(f"{folder} stays, with what is yours: {listed(found.others)}")
    return 0
