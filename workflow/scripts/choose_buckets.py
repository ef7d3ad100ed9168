"""Rule `choose_buckets`: a prepared split in, sequence lengths to build for out."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.lengths.buckets.choose import choose_buckets

    choose_buckets(
        data_folder=snakemake.params.data_folder,
        file=snakemake.output.limits,
        row=snakemake.params.row,
    )
