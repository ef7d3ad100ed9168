"""Rule `train_quantized`: checkpoint, its export and ranges in, INT8 ONNX file out."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.quantization.aware import train_quantized

    train_quantized(
        checkpoint_folder=snakemake.params.checkpoint_folder,
        onnx_folder=snakemake.params.onnx_folder,
        calibration_folder=snakemake.params.calibration_folder,
        data_folder=snakemake.params.data_folder,
        folder=snakemake.params.folder,
        row=snakemake.params.row,
        export=snakemake.params.export,
        seed=snakemake.params.seed,
        external_data=snakemake.params.external_data,
    )
