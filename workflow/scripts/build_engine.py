"""Rule `build_engine`: an ONNX file in, an engine out."""

from temper.script_log import log_to

with log_to(snakemake.log[0], "build_engine"):
    from temper.engines.build import build_engine

    build_engine(
        onnx_folder=snakemake.params.onnx_folder,
        engine_folder=snakemake.params.engine_folder,
        row=snakemake.params.row,
        name=snakemake.wildcards.engine,
    )
