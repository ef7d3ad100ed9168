"""Names of rows, as params.yaml writes them and files bear them."""

from typing import Annotated

from pydantic import Field

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"  # row names become file names; DVC reads a dot as one key inside another
LONGEST_NAME = 100  # letters: a file of this name has more before and behind it, and a disk takes 255
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=LONGEST_NAME)]
Loads = Annotated[str, Field(pattern=r"^(checkpoint|(onnx|engines)/[A-Za-z0-9][A-Za-z0-9_-]*)$")]
