rule build_engine:
    input:
        lambda wildcards: artifact_files(f"onnx/{STUDY.engine_rows[wildcards.engine].onnx}"),
        lambda wildcards: buckets_file(wildcards) or [],
    output:
        expand("artifacts/engines/{{engine}}/{file}", file=ENGINE_FILES),
        job=record_path("build_engine", "{engine}"),
    log:
        "logs/build_engine/{engine}.log",
    wildcard_constraints:
        engine=any_of(STUDY.engine_rows),
    params:
        row=lambda wildcards: plain(STUDY.engine_rows[wildcards.engine]),
        library_version=lambda wildcards: version_of(
            "engines", STUDY.engine_rows[wildcards.engine].library, STUDY.engine_rows[wildcards.engine].version
        ),
        onnx_folder=lambda wildcards: f"artifacts/onnx/{STUDY.engine_rows[wildcards.engine].onnx}",
        buckets_file=buckets_file,
        engine_folder="artifacts/engines/{engine}",
        source=lambda wildcards: digest_of(
            "build_engine.py", ("engines", STUDY.engine_rows[wildcards.engine].library)
        ),
    message:
        "build_engine {wildcards.engine}"
    script:
        "../scripts/build_engine.py"
