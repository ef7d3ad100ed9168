"""Rule `convert_precision`: ONNX file in, ONNX file out."""

from temper.script_log import log_to

with log_to(snakemake.log[0], "convert_precision"):
    from temper.precisions.convert import convert_precision

    convert_precision(
        onnx_folder=snakemake.params.onnx_folder,
        calibration_folder=snakemake.params.calibration_folder,
        folder=snakemake.params.folder,
        step=snakemake.params.step,
        options=snakemake.params.options,
        external_data=snakemake.params.external_data,
    )
