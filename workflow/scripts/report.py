"""Rule `report`: records in, summary out."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.report.render import write_summary

    write_summary(
        study=snakemake.params.study,
        baseline=snakemake.params.baseline,
        analysis=snakemake.params.analysis,
        engines=snakemake.params.engines,
        records=snakemake.input.records,
        remeasurements=snakemake.input.remeasurements,
        jobs=snakemake.input.jobs,
        folder=snakemake.params.folder,
        data_folder=snakemake.params.data_folder,
    )
