rule build_engine:
    input:
        lambda wildcards: FILES.machine_files("build_engine", wildcards.engine),
        lambda wildcards: FILES.artifact_files(f"onnx/{STUDY.engine_rows[wildcards.engine].onnx}"),
        lambda wildcards: FILES.buckets_file(wildcards) or [],
    output:
        expand("artifacts/engines/{{engine}}/{file}", file=FILES.engine),
        job=record_path("build_engine", "{engine}"),
    log:
        "logs/build_engine/{engine}.log",
    wildcard_constraints:
        engine=any_of(STUDY.engine_rows),
    resources:
        **FILES.asked_for("build_engine"),
    params:
        row=lambda wildcards: plain(STUDY.engine_rows[wildcards.engine]),
        library_version=lambda wildcards: version_of(
            "engines",
            STUDY.engine_rows[wildcards.engine].library,
            STUDY.engine_rows[wildcards.engine].version,
            FILES.machine_for("build_engine", wildcards.engine),
        ),
        onnx_folder=lambda wildcards: f"artifacts/onnx/{STUDY.engine_rows[wildcards.engine].onnx}",
        buckets_file=FILES.buckets_file,
        engine_folder="artifacts/engines/{engine}",
        source=lambda wildcards: digest_of(
            "build_engine.py", ("engines", STUDY.engine_rows[wildcards.engine].library)
        ),
    message:
        "build_engine {wildcards.engine}"
    script:
        "../scripts/build_engine.py"
