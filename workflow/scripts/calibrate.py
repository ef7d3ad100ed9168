"""Rule `calibrate`: ONNX file and calibration rows in, calibration cache out."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.quantization.calibration.calibrate import calibrate

    calibrate(
        onnx_folder=snakemake.params.onnx_folder,
        data_folder=snakemake.params.data_folder,
        folder=snakemake.params.folder,
        row=snakemake.params.row,
        options=snakemake.params.options,
        seed=snakemake.params.seed,
    )
