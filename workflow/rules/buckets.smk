rule choose_buckets:
    input:
        split=lambda wildcards: split_of(STUDY.buckets[wildcards.buckets].split),
    output:
        limits="artifacts/buckets/{buckets}.json",
        job=record_path("choose_buckets", "{buckets}"),
    log:
        "logs/choose_buckets/{buckets}.log",
    wildcard_constraints:
        buckets=any_of(STUDY.buckets),
    params:
        row=lambda wildcards: plain(STUDY.buckets[wildcards.buckets]),
        data_folder=DATA_FOLDER,
        source=digest_of("choose_buckets.py"),
    message:
        "choose_buckets {wildcards.buckets}"
    script:
        "../scripts/choose_buckets.py"
