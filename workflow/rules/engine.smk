rule build_engine:
    input:
        lambda wildcards: artifact_files(f"onnx/{STUDY.engines[wildcards.engine].onnx}"),
    output:
        expand("artifacts/engines/{{engine}}/{file}", file=ENGINE_FILES),
        job=record_path("build_engine", "{engine}"),
    log:
        "logs/build_engine/{engine}.log",
    wildcard_constraints:
        engine=any_of(STUDY.engines),
    params:
        row=lambda wildcards: plain(STUDY.engines[wildcards.engine]),
        library_version=lambda wildcards: version_of(
            "engines", STUDY.engines[wildcards.engine].library, STUDY.engines[wildcards.engine].version
        ),
        onnx_folder=lambda wildcards: f"artifacts/onnx/{STUDY.engines[wildcards.engine].onnx}",
        engine_folder="artifacts/engines/{engine}",
        source=lambda wildcards: digest_of(
            "build_engine.py", ("engines", STUDY.engines[wildcards.engine].library)
        ),
    message:
        "build_engine {wildcards.engine}"
    script:
        "../scripts/build_engine.py"
