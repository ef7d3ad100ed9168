"""Which jobs run and which made what: job records, the plan, the run lock, and Snakemake and DVC as one."""
