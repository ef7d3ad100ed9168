"""`temper studies`: the studies of this checkout, a line each; or finished ones beside one another."""

import shutil
import sys
from typing import Annotated

from typer import Argument, Option

EXAMPLES = ("temper studies", "temper studies 'studies/*' --page studies.html")


def studies(
    named: Annotated[
        list[str] | None,
        Argument(
            metavar="STUDY",
            help="Folders of finished studies, or a pattern: what each chose, on which machine.",
            show_default=False,
        ),
    ] = None,
    page: Annotated[
        str | None, Option(metavar="FILE", help="Write the named studies as one HTML page, too: models by machines.")
    ] = None,
    directory: Annotated[
        str, Option("--directory", "-C", metavar="DIR", help="Of whose checkout.", show_default="this one")
    ] = ".",
) -> int:
    """Print what each study shows, what it needs, and what was last measured where; of named ones what they chose."""
    if named:
        return _beside(named, page)
    from temper.orchestration.jobs import checkout_of
    from temper.studies.listing import listed, table

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    found = listed(checkout_of(directory))
    for line in table(found, width):
        print(line)
    for study in found:
        if study.broken is not None:
            print(f"{study.folder} cannot be listed: {study.broken}", file=sys.stderr)
    return 0


def _beside(named: list[str], page: str | None) -> int:
    from temper.artifacts.manifest import write_text
    from temper.comparison.studies import print_studies, studies_lines, studies_page
    from temper.orchestration.together import folders_of

    folders = folders_of(named)
    print_studies(folders)
    if page is not None:
        write_text(page, studies_page(studies_lines(folders)))
        print(f"as a page: {page}")
    return 0
