rule fine_tune:
    input:
        PREPARED_FILES,
        raw_files.checkpoint_files(STUDY.model),
    output:
        CHECKPOINT_FILES,
    log:
        "logs/fine_tune.log",
    params:
        model=plain(STUDY.model),
        train=STUDY.train,
        seed=STUDY.seed,
        data_folder=subpath(input[0], parent=True),
        folder=subpath(output[0], parent=True),
        source=digest_of("fine_tune.py", ("training", STUDY.train["method"])),
    threads: workflow.cores
    message:
        "fine_tune"
    script:
        "../scripts/fine_tune.py"
