"""Rule `load_test`: one artifact on one backend under MLPerf LoadGen's traffic."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.load_test.record import load_test

    load_test(
        name=snakemake.wildcards.load_test,
        row=snakemake.params.row,
        backend=snakemake.params.backend,
        library_version=snakemake.params.library_version,
        workload=snakemake.params.workload,
        distinct_batches=snakemake.params.distinct_batches,
        seed=snakemake.params.seed,
        artifact=snakemake.params.artifact,
        data_folder=snakemake.params.data_folder,
        quiet=snakemake.params.quiet,
        serving=snakemake.params.serving,
        record=snakemake.output.record,
        source_digest=snakemake.params.source,
        machine_name=snakemake.params.machine.get("name", ""),
    )
