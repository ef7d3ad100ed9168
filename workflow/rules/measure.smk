rule measure:
    input:
        lambda wildcards: FILES.machine_files("measure", wildcards.candidate),
        lambda wildcards: FILES.artifact_files(STUDY.candidates[wildcards.candidate].loads),
        FILES.artifact_files(STUDY.baseline.loads),
        beside_splits("test"),
        test_set="data/prepared/test.parquet",
    output:
        record="artifacts/measurements/{candidate}.json",
        job=record_path("measure", "{candidate}"),
    log:
        "logs/measure/{candidate}.log",
    wildcard_constraints:
        candidate=any_of(STUDY.candidates),
    threads: cores_for("measure")  # the whole machine: no other job runs while a latency is taken
    resources:
        **FILES.asked_for("measure"),
    params:
        row=lambda wildcards: without_machine(STUDY.candidates[wildcards.candidate]),
        backend=lambda wildcards: plain(FILES.backend_of(wildcards)),
        library_version=lambda wildcards: version_of(
            "backends",
            FILES.backend_of(wildcards).runner,
            FILES.backend_of(wildcards).version,
            FILES.machine_for("measure", wildcards.candidate),
        ),
        baseline=plain(STUDY.baseline),
        baseline_backend=plain(BASELINE_BACKEND),
        baseline_version=lambda wildcards: version_of(
            "backends", BASELINE_BACKEND.runner, BASELINE_BACKEND.version, FILES.machine_for("measure", wildcards.candidate)
        ),
        baseline_artifact=lambda wildcards: f"artifacts/{STUDY.baseline.loads}",
        gpus=lambda wildcards: gpus_for(FILES.backend_of(wildcards), FILES.machine_for("measure", wildcards.candidate)),
        baseline_gpus=lambda wildcards: gpus_for(BASELINE_BACKEND, FILES.machine_for("measure", wildcards.candidate)),
        machine=lambda wildcards: machines.kind_of(FILES.machine_for("measure", wildcards.candidate)),
        workloads=lambda wildcards: {
            name: STUDY.workloads[name] for name in STUDY.candidates[wildcards.candidate].workloads
        },
        measurement=plain(STUDY.measurement),
        seed=STUDY.seed,
        artifact=lambda wildcards: f"artifacts/{STUDY.candidates[wildcards.candidate].loads}",
        data_folder=subpath(input.test_set, parent=True),
        source=lambda wildcards: digest_of(
            "measure.py", ("backends", FILES.backend_of(wildcards).runner), ("backends", BASELINE_BACKEND.runner)
        ),
    message:
        "measure {wildcards.candidate}"
    script:
        "../scripts/measure.py"
