"""Snakemake finds its logger plugins by this name: `snakemake --logger temper` (temper/job_lines.py)."""

from temper.job_lines import LogHandler

__all__ = ["LogHandler"]
