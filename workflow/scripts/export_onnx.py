"""Rule `export_onnx`: checkpoint in, FP32 ONNX file out."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.export.to_onnx import export_onnx

    export_onnx(
        checkpoint_folder=snakemake.params.checkpoint_folder,
        data_folder=snakemake.params.data_folder,
        folder=snakemake.params.folder,
        row=snakemake.params.row,
        external_data=snakemake.params.external_data,
    )
