rule convert_precision:
    input:
        lambda wildcards: artifact_files(f"onnx/{STUDY.precisions[wildcards.precision]['onnx']}"),
        cache=lambda wildcards: calibration_files(STUDY.precisions[wildcards.precision]),
    output:
        expand("artifacts/onnx/{{precision}}/{file}", file=ONNX_FILES),
    log:
        "logs/convert_precision/{precision}.log",
    wildcard_constraints:
        precision=any_of(STUDY.precisions),
    params:
        step=lambda wildcards: STUDY.precisions[wildcards.precision]["step"],
        options=lambda wildcards: precision_options(STUDY.precisions[wildcards.precision]),
        external_data=STUDY.onnx_external_data,
        onnx_folder=lambda wildcards: f"artifacts/onnx/{STUDY.precisions[wildcards.precision]['onnx']}",
        calibration_folder=lambda wildcards: calibration_folder(STUDY.precisions[wildcards.precision]),
        folder="artifacts/onnx/{precision}",
        source=lambda wildcards: digest_of(
            "convert_precision.py", ("precisions", STUDY.precisions[wildcards.precision]["step"])
        ),
    message:
        "convert_precision {wildcards.precision}"
    script:
        "../scripts/convert_precision.py"
