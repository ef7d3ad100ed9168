from temper.quantization.aware import LIBRARIES as TRAIN_QUANTIZED_LIBRARIES


rule train_quantized:
    input:
        FILES.checkpoint,
        lambda wildcards: FILES.artifact_files(f"onnx/{STUDY.quantization_aware[wildcards.quantized].onnx}"),
        lambda wildcards: expand(
            "artifacts/calibration/{row}/{file}",
            row=STUDY.quantization_aware[wildcards.quantized].calibration,
            file=CALIBRATION_FILES,
        ),
        beside_splits("train", "validation"),
        train_set="data/prepared/train.parquet",
        validation_set="data/prepared/validation.parquet",
    output:
        expand("artifacts/onnx/{{quantized}}/{file}", file=FILES.onnx),
        job=record_path("train_quantized", "{quantized}"),
    log:
        "logs/train_quantized/{quantized}.log",
    wildcard_constraints:
        quantized=any_of(STUDY.quantization_aware),
    threads: lambda wildcards: STUDY.quantization_aware[wildcards.quantized].threads
    params:
        row=lambda wildcards: plain(STUDY.quantization_aware[wildcards.quantized]),
        export=lambda wildcards: plain(STUDY.exports[STUDY.quantization_aware[wildcards.quantized].onnx]),
        external_data=STUDY.onnx_external_data,
        checkpoint_folder=subpath(input[0], parent=True),
        onnx_folder=lambda wildcards: f"artifacts/onnx/{STUDY.quantization_aware[wildcards.quantized].onnx}",
        calibration_folder=lambda wildcards: (
            f"artifacts/calibration/{STUDY.quantization_aware[wildcards.quantized].calibration}"
        ),
        data_folder=subpath(input.train_set, parent=True),
        folder="artifacts/onnx/{quantized}",
        seed=STUDY.seed,
        versions=lambda wildcards: FILES.versions_for("train_quantized", wildcards.quantized, *TRAIN_QUANTIZED_LIBRARIES),
        source=digest_of("train_quantized.py"),
    message:
        "train_quantized {wildcards.quantized}"
    script:
        "../scripts/train_quantized.py"
