"""`temper figures`: the plots of pages, drawn anew from results/."""

import os
from pathlib import Path

from temper.cli.pages import Files, page_text

EXAMPLES = ("temper figures README.md docs/*.md",)


def figures(files: Files) -> int:
    """Draw each plot that a page marks, beside the page."""
    from temper.artifacts.manifest import write_text
    from temper.orchestration.jobs import checkout_of
    from temper.publish.figures import drawn
    from temper.publish.pages import figures as figures_of
    from temper.publish.pages import remembering

    root, read = Path(os.path.relpath(checkout_of())), remembering()
    for file in files:
        for what, folder, name in figures_of(page_text(file)):
            target = Path(file).parent / name
            write_text(target, drawn(what, root / folder, read))
            print(f"{target}: drawn from {folder}")
    return 0
