"""Rule `report`: records in, summary out."""

from temper.script_log import log_to

with log_to(snakemake.log[0], "report"):
    from temper.report.render import write_summary

    write_summary(
        study=snakemake.params.study,
        baseline=snakemake.params.baseline,
        records=snakemake.input.records,
        folder=snakemake.params.folder,
    )
