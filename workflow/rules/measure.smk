rule measure:
    input:
        lambda wildcards: artifact_files(STUDY.candidates[wildcards.candidate].loads),
        artifact_files(STUDY.baseline.loads),
        beside_splits("test"),
        test_set="data/prepared/test.parquet",
    output:
        record="artifacts/measurements/{candidate}.json",
        job=record_path("measure", "{candidate}"),
    log:
        "logs/measure/{candidate}.log",
    wildcard_constraints:
        candidate=any_of(STUDY.candidates),
    threads: WHOLE_MACHINE  # the whole machine: no other job runs while a latency is taken
    params:
        row=lambda wildcards: plain(STUDY.candidates[wildcards.candidate]),
        backend=lambda wildcards: plain(backend_of(wildcards)),
        library_version=lambda wildcards: version_of(
            "backends", backend_of(wildcards).runner, backend_of(wildcards).version
        ),
        baseline=plain(STUDY.baseline),
        baseline_backend=plain(BASELINE_BACKEND),
        baseline_version=version_of("backends", BASELINE_BACKEND.runner, BASELINE_BACKEND.version),
        baseline_artifact=lambda wildcards: f"artifacts/{STUDY.baseline.loads}",
        gpus=lambda wildcards: gpus_for(backend_of(wildcards)),
        baseline_gpus=gpus_for(BASELINE_BACKEND),
        machine=measuring_machine(),
        workloads=lambda wildcards: {
            name: STUDY.workloads[name] for name in STUDY.candidates[wildcards.candidate].workloads
        },
        measurement=plain(STUDY.measurement),
        seed=STUDY.seed,
        artifact=lambda wildcards: f"artifacts/{STUDY.candidates[wildcards.candidate].loads}",
        data_folder=subpath(input.test_set, parent=True),
        source=lambda wildcards: digest_of(
            "measure.py", ("backends", backend_of(wildcards).runner), ("backends", BASELINE_BACKEND.runner)
        ),
    message:
        "measure {wildcards.candidate}"
    script:
        "../scripts/measure.py"
