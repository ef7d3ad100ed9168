"""Rule `read_machine`: what a machine is, seen by a job that runs there."""

from temper.logs.script_log import log_to
from temper.orchestration.machines import look

with log_to(snakemake.log[0], str(snakemake.rule)):
    look(snakemake.output.machine)
