"""`temper studies`: the studies of this checkout, a line each."""

from temper.cli.command import Directory

EXAMPLES = ("temper studies",)


def studies(directory: Directory = ".") -> int:
    """Print what each study shows, what it needs, and what was last measured where."""
    from temper.orchestration.jobs import checkout_of
    from temper.studies.listing import listed, table

    for line in table(listed(checkout_of(directory))):
        print(line)
    return 0
