rule remeasure:
    input:
        lambda wildcards: FILES.machine_files("remeasure", row_of(wildcards)),
        beside_splits("test"),
        records=lambda wildcards: [f"artifacts/measurements/{name}.json" for name in STUDY.places[row_of(wildcards)]],
        jobs=lambda wildcards: [record_path("measure", name) for name in STUDY.places[row_of(wildcards)]],
        test_set="data/prepared/test.parquet",
    output:
        remeasurements=REMEASUREMENTS,
        job=record_path("remeasure", PLACE),
    log:
        f"{Path('logs/remeasure', PLACE)}.log",
    wildcard_constraints:
        place=any_of(PLACES),
    threads: cores_for("remeasure")  # the whole machine: no other job runs while a latency is taken
    resources:
        **FILES.asked_for("remeasure"),
    params:
        baseline=lambda wildcards: STUDY.baseline_on(row_of(wildcards)),
        baseline_backend=plain(BASELINE_BACKEND),
        baseline_version=lambda wildcards: version_of(
            "backends", BASELINE_BACKEND.runner, BASELINE_BACKEND.version, FILES.machine_for("remeasure", row_of(wildcards))
        ),
        workloads=lambda wildcards: {
            workload: STUDY.workloads[workload]
            for name in STUDY.places[row_of(wildcards)]
            for workload in STUDY.candidates[name].workloads
        },
        latency_margin=STUDY.analysis.latency_margin,
        artifacts_folder=subpath(output.remeasurements, ancestor=2 if PLACES else 1),
        data_folder=subpath(input.test_set, parent=True),
        source=lambda wildcards: digest_of(
            "remeasure.py",
            *sorted(
                {("backends", STUDY.backends[STUDY.candidates[name].backend].runner) for name in STUDY.places[row_of(wildcards)]}
            ),
        ),
    message:
        f"remeasure {PLACE and '{wildcards.place}'}".strip()
    script:
        "../scripts/remeasure.py"
