"""Committed records of results/, each read once by a worker's tests of pages and plots."""

from functools import partial
from pathlib import Path

from temper.publish import figures, pages

ROOT = Path(__file__).resolve().parents[3]
READ = pages.remembering()
filled, drawn = partial(pages.filled, read=READ), partial(figures.drawn, read=READ)
