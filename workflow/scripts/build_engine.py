"""Rule `build_engine`: an ONNX file in, an engine out."""

from temper.orchestration.job_record import recorded

with recorded(snakemake):
    from temper.engines.build import build_engine

    build_engine(
        onnx_folder=snakemake.params.onnx_folder,
        buckets_file=snakemake.params.buckets_file,
        engine_folder=snakemake.params.engine_folder,
        row=snakemake.params.row,
        name=snakemake.wildcards.engine,
    )
