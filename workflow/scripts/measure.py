"""Rule `measure`: one artifact on one backend in, one record out."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.measurement.measure import measure

    measure(
        candidate=snakemake.wildcards.candidate,
        row=snakemake.params.row,
        backend=snakemake.params.backend,
        library_version=snakemake.params.library_version,
        baseline=snakemake.params.baseline,
        baseline_backend=snakemake.params.baseline_backend,
        baseline_version=snakemake.params.baseline_version,
        baseline_artifact=snakemake.params.baseline_artifact,
        workloads=snakemake.params.workloads,
        measurement=snakemake.params.measurement,
        seed=snakemake.params.seed,
        artifact=snakemake.params.artifact,
        data_folder=snakemake.params.data_folder,
        record=snakemake.output.record,
        source_digest=snakemake.params.source,
        machine_name=snakemake.params.machine.get("name", ""),
    )
