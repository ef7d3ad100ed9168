"""Snakemake finds its logger plugins by this name: `snakemake --logger temper` (temper/logs/job_lines.py)."""

from temper.logs.job_lines import LogHandler

__all__ = ["LogHandler"]
