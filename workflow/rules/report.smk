rule report:
    input:
        records=expand("artifacts/measurements/{candidate}.json", candidate=STUDY.candidates),
        remeasurements="artifacts/remeasurements.json",
        beside=beside_splits("test"),
        test_set="data/prepared/test.parquet",
        jobs=[*(record_path("measure", candidate) for candidate in STUDY.candidates), record_path("remeasure", "")],
    output:
        REPORT_FILES,
        job=record_path("report", ""),
    log:
        "logs/report.log",
    params:
        study=STUDY.study,
        baseline=STUDY.baseline_candidate,
        analysis=plain(STUDY.analysis),
        engines={name: {"onnx": row.onnx} for name, row in STUDY.engine_rows.items()},
        folder=subpath(output[0], parent=True),
        data_folder=subpath(input.test_set, parent=True),
        source=digest_of("report.py"),
        templates=templates_digest(),
    message:
        "report"
    script:
        "../scripts/report.py"
