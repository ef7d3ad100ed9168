rule fine_tune:
    input:
        PREPARED_FILES,
        raw_files.checkpoint_files(STUDY.model),
    output:
        CHECKPOINT_FILES,
        job=record_path("fine_tune", ""),
    log:
        "logs/fine_tune.log",
    params:
        model=plain(STUDY.model),
        train=STUDY.train,
        seed=STUDY.seed,
        data_folder=subpath(input[0], parent=True),
        folder=subpath(output[0], parent=True),
        versions=versions_for("fine_tune", "", *plugins.load("training", STUDY.train["method"]).LIBRARIES),
        source=digest_of("fine_tune.py", ("training", STUDY.train["method"])),
    threads: workflow.cores
    message:
        "fine_tune"
    script:
        "../scripts/fine_tune.py"
