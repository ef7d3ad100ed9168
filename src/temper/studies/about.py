"""about.yaml: what a study shows and what it needs, beside its params.yaml."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from temper.errors import ConfigError
from temper.reading.yaml_file import read_yaml

FILE = "about.yaml"


class Needs(BaseModel):
    """What a run needs beside this checkout.

    gpu: an NVIDIA GPU, without which its rows (or its baseline) are 'not measured'.
    network: a model hub or another server.
    files: files in data/raw/ that are put there first, from outside or by a script of the study.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    gpu: bool
    network: bool
    files: bool

    def __str__(self) -> str:
        wanted = [("GPU", self.gpu), ("network", self.network), ("files", self.files)]
        return ", ".join(name for name, needed in wanted if needed) or "nothing"


class About(BaseModel):
    """A study in a line.

    title: what it shows.
    minutes: of a first run, estimated: on two CPU cores, or on one GPU where it needs one. Null: nobody has estimated it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
    needs: Needs
    minutes: PositiveInt | None


def read_about(file: Path) -> About:
    """Read a study's about.yaml.

    Raises:
        ConfigError: it is no YAML, or has other keys than `About`.
    """
    try:
        return About.model_validate(read_yaml(file))
    except (OSError, ValueError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        happened = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else " ".join(str(error).split())
        colon = "" if first else "; a title with a colon stands in quotes"
        raise ConfigError(
            asked=f"read {file}",
            happened=happened,
            affected="the list of studies; no study is changed by it",
            fix=f"give it the keys of another study's {FILE}: title, needs: {{gpu, network, files}}, minutes{colon}",
        ) from None
