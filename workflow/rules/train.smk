from temper.training.checkpoint import SPLITS as TRAINING_SPLITS


rule fine_tune:
    input:
        expand("data/prepared/{split}.parquet", split=TRAINING_SPLITS),
        beside_splits(*TRAINING_SPLITS),
        expand("data/prepared/{file}", file=FILES.prepared_preprocessor),
        FILES.source_checkpoint,
    output:
        FILES.checkpoint,
        job=record_path("fine_tune", ""),
    log:
        "logs/fine_tune.log",
    params:
        model=plain(STUDY.model),
        train=STUDY.train,
        seed=STUDY.seed,
        data_folder=subpath(input[0], parent=True),
        folder=subpath(output[0], parent=True),
        versions=FILES.versions_for("fine_tune", "", *plugins.load("training", STUDY.train["method"]).LIBRARIES),
        source=digest_of("fine_tune.py", ("training", STUDY.train["method"])),
    threads: WHOLE_MACHINE
    resources:
        **FILES.asked_for("fine_tune"),
    message:
        "fine_tune"
    script:
        "../scripts/fine_tune.py"
