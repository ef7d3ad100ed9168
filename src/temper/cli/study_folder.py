"""Where the commands about one study work."""

import os
from pathlib import Path

from temper.errors import ConfigError


def stand_in(directory: str) -> None:
    """Stand in the study's folder: DVC and Snakemake keep their records there.

    Raises:
        ConfigError: it holds no params.yaml.
    """
    if not (Path(directory) / "params.yaml").is_file():
        raise ConfigError(
            asked=f"work on the study in {directory}",
            happened=f"{Path(directory) / 'params.yaml'} does not exist",
            affected="nothing",
            fix="name the folder of a study: --directory studies/<name>",
        )
    os.chdir(directory)
