"""Snakemake finds its logger plugins by this name: `snakemake --logger temper` (temper/logs/job_lines.py).

It imports them all whenever it starts, before it reads a Snakefile: the earliest that anything of Temper's is asked.
"""

from temper.environment.own_process import import_without
from temper.logs.job_lines import LogHandler

__all__ = ["LogHandler"]

# Snakemake reads addresses with smart_open, which imports S3's client in case one is of S3: 25 MB, and a tenth of a plan's time.
# Here none is (docs/decisions/0101); DVC, which needs that client, is another process.
import_without("smart_open", "boto3")
