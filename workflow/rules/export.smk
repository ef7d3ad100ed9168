from temper.export.to_onnx import LIBRARIES as EXPORT_LIBRARIES


rule export_onnx:
    input:
        FILES.checkpoint,
        beside_splits("validation"),
        validation="data/prepared/validation.parquet",
    output:
        expand("artifacts/onnx/{{export}}/{file}", file=FILES.onnx),
        job=record_path("export_onnx", "{export}"),
    log:
        "logs/export_onnx/{export}.log",
    wildcard_constraints:
        export=any_of(STUDY.exports),
    params:
        row=lambda wildcards: plain(STUDY.exports[wildcards.export]),
        external_data=STUDY.onnx_external_data,
        checkpoint_folder=subpath(input[0], parent=True),
        data_folder=subpath(input.validation, parent=True),
        folder="artifacts/onnx/{export}",
        versions=lambda wildcards: FILES.versions_for("export_onnx", wildcards.export, *EXPORT_LIBRARIES),
        source=digest_of("export_onnx.py"),
    message:
        "export_onnx {wildcards.export}"
    script:
        "../scripts/export_onnx.py"
