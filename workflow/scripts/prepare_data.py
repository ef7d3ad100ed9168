"""Rule `prepare_data`: a data source in, fixed and encoded splits out."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.data.prepare import prepare_data

    prepare_data(
        data=snakemake.params.data,
        model=snakemake.params.model,
        seed=snakemake.params.seed,
        folder=snakemake.params.folder,
    )
