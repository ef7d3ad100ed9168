"""Rule `convert_precision`: ONNX file in, ONNX file out."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.transforms.convert import convert_precision

    convert_precision(
        onnx_folder=snakemake.params.onnx_folder,
        calibration_folder=snakemake.params.calibration_folder,
        search_folder=snakemake.params.search_folder,
        folder=snakemake.params.folder,
        step=snakemake.params.step,
        options=snakemake.params.options,
        external_data=snakemake.params.external_data,
    )
