rule calibrate:
    input:
        lambda wildcards: FILES.artifact_files(f"onnx/{STUDY.calibrations[wildcards.calibration].onnx}"),
        beside_splits("calibration"),
        calibration_set="data/prepared/calibration.parquet",
    output:
        expand("artifacts/calibration/{{calibration}}/{file}", file=CALIBRATION_FILES),
        job=record_path("calibrate", "{calibration}"),
    log:
        "logs/calibrate/{calibration}.log",
    wildcard_constraints:
        calibration=any_of(STUDY.calibrations),
    params:
        row=lambda wildcards: plain(STUDY.calibrations[wildcards.calibration]),
        options=lambda wildcards: STUDY.calibration_methods[STUDY.calibrations[wildcards.calibration].method],
        onnx_folder=lambda wildcards: f"artifacts/onnx/{STUDY.calibrations[wildcards.calibration].onnx}",
        data_folder=subpath(input.calibration_set, parent=True),
        folder="artifacts/calibration/{calibration}",
        seed=STUDY.seed,
        versions=lambda wildcards: FILES.versions_for(
            "calibrate",
            wildcards.calibration,
            *plugins.load("calibration", STUDY.calibrations[wildcards.calibration].method).LIBRARIES,
        ),
        source=lambda wildcards: digest_of(
            "calibrate.py", ("calibration", STUDY.calibrations[wildcards.calibration].method)
        ),
    message:
        "calibrate {wildcards.calibration}"
    script:
        "../scripts/calibrate.py"
