"""Rule `search_layers`: a quantised ONNX file and validation rows in, the layers to keep in float out."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.quantization.search import search_layers

    search_layers(
        quantized_folder=snakemake.params.quantized_folder,
        reference_folder=snakemake.params.reference_folder,
        data_folder=snakemake.params.data_folder,
        folder=snakemake.params.folder,
        row=snakemake.params.row,
    )
