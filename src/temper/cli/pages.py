"""`temper pages`: the tables of pages, written anew from results/."""

import os
import sys
from pathlib import Path
from typing import Annotated

from typer import Argument

from temper.errors import ConfigError, PipelineError

EXAMPLES = ("temper pages README.md docs/*.md",)
Files = Annotated[list[str], Argument(metavar="FILE", help="Markdown files of this checkout.", show_default=False)]


def page_text(file: str) -> str:
    """Content of a page.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            asked=f"read the page {file}",
            happened=f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}",
            affected="nothing",
            fix="name a Markdown file of this checkout",
        ) from None


def pages(files: Files) -> int:
    """Write what stands between the marks anew; a page that cannot be written does not keep the others from it."""
    from temper.artifacts.manifest import write_text
    from temper.orchestration.jobs import checkout_of
    from temper.publish.pages import filled, remembering

    failed, root, read = 0, Path(os.path.relpath(checkout_of())), remembering()
    for file in files:
        try:
            page = page_text(file)
            text = filled(page, root, read)
        except PipelineError as error:  # of this page; the others go on
            print(f"{file}: {type(error).__name__}:{error}", file=sys.stderr)
            failed = 1
            continue
        if text != page:
            write_text(file, text)
        print(f"{file}: {'written anew' if text != page else 'up to date'}")
    return failed
