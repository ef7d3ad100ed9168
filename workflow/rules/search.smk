rule search_layers:
    input:
        lambda wildcards: FILES.artifact_files(f"onnx/{STUDY.searches[wildcards.search].onnx}"),
        lambda wildcards: FILES.artifact_files(f"onnx/{STUDY.searches[wildcards.search].reference}"),
        beside_splits("validation"),
        validation_set="data/prepared/validation.parquet",
    output:
        expand("artifacts/searches/{{search}}/{file}", file=SEARCH_FILES),
        job=record_path("search_layers", "{search}"),
    log:
        "logs/search_layers/{search}.log",
    wildcard_constraints:
        search=any_of(STUDY.searches),
    threads: lambda wildcards: STUDY.searches[wildcards.search].threads
    params:
        row=lambda wildcards: plain(STUDY.searches[wildcards.search]),
        quantized_folder=lambda wildcards: f"artifacts/onnx/{STUDY.searches[wildcards.search].onnx}",
        reference_folder=lambda wildcards: f"artifacts/onnx/{STUDY.searches[wildcards.search].reference}",
        data_folder=subpath(input.validation_set, parent=True),
        folder="artifacts/searches/{search}",
        versions=lambda wildcards: FILES.versions_for("search_layers", wildcards.search, "onnx", "onnxruntime"),
        source=digest_of("search_layers.py"),
    message:
        "search_layers {wildcards.search}"
    script:
        "../scripts/search_layers.py"
