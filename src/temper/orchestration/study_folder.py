"""Which folder is a study's, as errors and their fix lines name it."""

import os
from difflib import get_close_matches
from pathlib import Path

from temper.errors import ConfigError
from temper.orchestration.jobs import checkout_of


def check_study_folder(
    directory: str | os.PathLike[str], asked: str, affected: str = "nothing", option: str = "-C "
) -> None:
    """Refuse a folder that holds no params.yaml, with the study that was probably meant.

    Args:
        directory: as it was typed.
        asked: what it is for, in an error's words.
        affected: what that leaves undone.
        option: in front of a folder on the command line; '' where a command takes it without one.

    Raises:
        ConfigError: it holds no params.yaml.
    """
    folder = Path(directory)
    if (folder / "params.yaml").is_file():
        return
    checkout = checkout_of()
    studies = [file.parent.name for file in checkout.glob("studies/[!.]*/params.yaml")]
    near = get_close_matches(folder.resolve().name, studies, n=1)
    meant = option + os.path.relpath(checkout / "studies" / near[0]) if near else None
    raise ConfigError(
        asked=asked,
        happened=f"{folder / 'params.yaml'} does not exist",
        affected=affected,
        fix=f"{meant}, if that is the one; temper studies lists all"
        if meant
        else f"name a study's folder, {option}studies/NAME: temper studies lists those there are, temper init makes one",
    )
