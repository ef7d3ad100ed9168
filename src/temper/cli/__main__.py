"""`python -m temper.cli`: the `temper` command where it is not on the path."""

import sys

from temper.cli.entry import run

sys.exit(run())
