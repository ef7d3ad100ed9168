"""Rule `fine_tune`: prepared data in, checkpoint out."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.training.checkpoint import make_checkpoint

    make_checkpoint(
        model=snakemake.params.model,
        train=snakemake.params.train,
        seed=snakemake.params.seed,
        data_folder=snakemake.params.data_folder,
        folder=snakemake.params.folder,
        source=snakemake.params.source,
    )
