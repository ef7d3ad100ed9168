"""Which job made what: job records, and the two tools (Snakemake, DVC) that decide by them what is stale."""
