rule choose_buckets:
    input:
        lambda wildcards: beside_splits(STUDY.buckets[wildcards.buckets].split),
        split=lambda wildcards: f"data/prepared/{STUDY.buckets[wildcards.buckets].split}.parquet",
    output:
        limits="artifacts/buckets/{buckets}.json",
        job=record_path("choose_buckets", "{buckets}"),
    log:
        "logs/choose_buckets/{buckets}.log",
    wildcard_constraints:
        buckets=any_of(STUDY.buckets),
    params:
        row=lambda wildcards: plain(STUDY.buckets[wildcards.buckets]),
        data_folder=subpath(input.split, parent=True),
        source=digest_of("choose_buckets.py"),
    message:
        "choose_buckets {wildcards.buckets}"
    script:
        "../scripts/choose_buckets.py"
