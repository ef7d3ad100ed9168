from temper.study.onnx_rows import precision_options


rule convert_precision:
    input:
        lambda wildcards: FILES.artifact_files(f"onnx/{STUDY.conversions[wildcards.precision]['onnx']}"),
        cache=lambda wildcards: FILES.precision_files(wildcards, "calibration"),
        search=lambda wildcards: FILES.precision_files(wildcards, "search"),
    output:
        expand("artifacts/onnx/{{precision}}/{file}", file=FILES.onnx),
        job=record_path("convert_precision", "{precision}"),
    log:
        "logs/convert_precision/{precision}.log",
    wildcard_constraints:
        precision=any_of(STUDY.conversions),
    params:
        step=lambda wildcards: STUDY.conversions[wildcards.precision]["step"],
        options=lambda wildcards: precision_options(STUDY.conversions[wildcards.precision]),
        external_data=STUDY.onnx_external_data,
        onnx_folder=lambda wildcards: f"artifacts/onnx/{STUDY.conversions[wildcards.precision]['onnx']}",
        calibration_folder=lambda wildcards: FILES.precision_folder(wildcards, "calibration"),
        search_folder=lambda wildcards: FILES.precision_folder(wildcards, "search"),
        folder="artifacts/onnx/{precision}",
        versions=lambda wildcards: FILES.versions_for(
            "convert_precision",
            wildcards.precision,
            *plugins.load("steps", STUDY.conversions[wildcards.precision]["step"]).LIBRARIES,
        ),
        source=lambda wildcards: digest_of(
            "convert_precision.py", ("steps", STUDY.conversions[wildcards.precision]["step"])
        ),
    message:
        "convert_precision {wildcards.precision}"
    script:
        "../scripts/convert_precision.py"
