from temper.data.prepare import LIBRARIES

DATA_LIBRARIES = (*LIBRARIES, *plugins.load("data", STUDY.data["source"]).LIBRARIES)


rule prepare_data:
    input:
        FILES.data_files,
        FILES.source_checkpoint,
    output:
        FILES.prepared,
        job=record_path("prepare_data", ""),
    log:
        "logs/prepare_data.log",
    params:
        data=STUDY.data,
        model=plain(STUDY.model),
        seed=STUDY.seed,
        folder=subpath(output[0], parent=True),
        versions=FILES.versions_for("prepare_data", "", *DATA_LIBRARIES),
        source=digest_of("prepare_data.py", ("data", STUDY.data["source"])),
    message:
        "prepare_data"
    script:
        "../scripts/prepare_data.py"
