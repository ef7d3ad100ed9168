"""Rule `prepare_data`: a data source in, fixed and encoded splits out."""

from temper.script_log import log_to

with log_to(snakemake.log[0], "prepare_data"):
    from temper.data.prepare import prepare_data

    prepare_data(
        data=snakemake.params.data,
        model=snakemake.params.model,
        seed=snakemake.params.seed,
        folder=snakemake.params.folder,
    )
