"""Rule `remeasure`: records in, the cells that did not hold taken once more."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.measurement.remeasure import remeasure

    remeasure(
        records=snakemake.input.records,
        baseline=snakemake.params.baseline,
        baseline_backend=snakemake.params.baseline_backend,
        baseline_version=snakemake.params.baseline_version,
        workloads=snakemake.params.workloads,
        latency_margin=snakemake.params.latency_margin,
        artifacts_folder=snakemake.params.artifacts_folder,
        data_folder=snakemake.params.data_folder,
        remeasurements=snakemake.output.remeasurements,
        source_digest=snakemake.params.source,
    )
