"""The `temper` command: what a person asks beside `snakemake` itself. A file for each command; app.py has the list."""

from temper.cli.entry import main, run

__all__ = ["main", "run"]
