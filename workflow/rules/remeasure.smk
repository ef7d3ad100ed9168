rule remeasure:
    input:
        beside_splits("test"),
        records=expand("artifacts/measurements/{candidate}.json", candidate=STUDY.candidates),
        jobs=[record_path("measure", candidate) for candidate in STUDY.candidates],
        test_set="data/prepared/test.parquet",
    output:
        remeasurements="artifacts/remeasurements.json",
        job=record_path("remeasure", ""),
    log:
        "logs/remeasure.log",
    threads: WHOLE_MACHINE  # the whole machine: no other job runs while a latency is taken
    params:
        baseline=STUDY.baseline_candidate,
        baseline_backend=plain(BASELINE_BACKEND),
        baseline_version=version_of("backends", BASELINE_BACKEND.runner, BASELINE_BACKEND.version),
        workloads={name: STUDY.workloads[name] for candidate in STUDY.candidates.values() for name in candidate.workloads},
        latency_margin=STUDY.analysis.latency_margin,
        artifacts_folder=subpath(output.remeasurements, parent=True),
        data_folder=subpath(input.test_set, parent=True),
        source=digest_of(
            "remeasure.py",
            *sorted({("backends", STUDY.backends[candidate.backend].runner) for candidate in STUDY.candidates.values()}),
        ),
    message:
        "remeasure"
    script:
        "../scripts/remeasure.py"
