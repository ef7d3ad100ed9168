"""Where the commands about one study work."""

import os
from difflib import get_close_matches
from pathlib import Path

from temper.errors import ConfigError


def check_study_folder(directory: str | os.PathLike[str], asked: str) -> None:
    """As `temper.orchestration.study_folder.check_study_folder`, which is imported when it is needed."""
    from temper.orchestration import study_folder

    study_folder.check_study_folder(directory, asked)


def check_filed_folder(folder: Path, asked: str) -> None:
    """Refuse a folder that holds no filed study, with those that were probably meant.

    Raises:
        ConfigError: there is no such folder, or no params.yaml in it.
    """
    if (folder / "params.yaml").is_file():
        return
    there = sorted(file.parent.as_posix() for file in Path("results").glob("*/*/params.yaml"))
    below = [name for name in there if Path(name).parent == folder]
    near = below or get_close_matches(folder.as_posix(), there, n=3)
    raise ConfigError(
        asked=asked,
        happened=f"{folder} holds no filed study" if folder.is_dir() else f"there is no folder {folder}",
        affected="nothing was written",
        fix=f"--filed {near[0]}{', or one of ' if near[1:] else ''}{', '.join(near[1:])}"
        if near
        else "name a folder of filed records: --filed results/MACHINE/STUDY (ls -d results/*/*)",
    )


def stand_in(directory: str) -> None:
    """Stand in the study's folder: DVC and Snakemake keep their records there.

    Raises:
        ConfigError: it holds no params.yaml.
    """
    check_study_folder(directory, f"work on the study in {directory}")
    os.chdir(directory)
