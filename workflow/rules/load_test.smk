from temper.environment.library import INSTALLED
from temper.load_test.generator import LIBRARY as LOADGEN
from temper.load_test.serving import serving_of


rule load_test:
    input:
        lambda wildcards: FILES.machine_files("load_test", wildcards.load_test),
        lambda wildcards: FILES.artifact_files(STUDY.load_tests[wildcards.load_test]["loads"]),
        beside_splits("test"),
        test_set="data/prepared/test.parquet",
    output:
        record="artifacts/load_tests/{load_test}.json",
        job=record_path("load_test", "{load_test}"),
    log:
        "logs/load_test/{load_test}.log",
    wildcard_constraints:
        load_test=any_of(STUDY.load_tests),
    threads: cores_for("load_test")  # the whole machine: no other job runs meanwhile
    resources:
        **FILES.asked_for("load_test"),
    params:
        row=lambda wildcards: without_machine(STUDY.load_tests[wildcards.load_test]),
        backend=lambda wildcards: plain(FILES.load_test_backend(wildcards)),
        library_version=lambda wildcards: version_of(
            "backends",
            FILES.load_test_backend(wildcards).runner,
            FILES.load_test_backend(wildcards).version,
            FILES.machine_for("load_test", wildcards.load_test),
        ),
        loadgen_version=lambda wildcards: machines.version_on(
            FILES.machine_for("load_test", wildcards.load_test), LOADGEN, INSTALLED
        ),
        gpus=lambda wildcards: gpus_for(FILES.load_test_backend(wildcards), FILES.machine_for("load_test", wildcards.load_test)),
        machine=lambda wildcards: machines.kind_of(FILES.machine_for("load_test", wildcards.load_test)),
        workload=lambda wildcards: STUDY.workloads[STUDY.load_tests[wildcards.load_test]["workload"]],
        distinct_batches=STUDY.measurement.distinct_batches,
        serving=lambda wildcards: serving_of(STUDY, STUDY.load_tests[wildcards.load_test]),
        quiet={"busy_share": STUDY.measurement.busy_share, "quiet_wait_s": STUDY.measurement.quiet_wait_s},
        seed=STUDY.seed,
        artifact=lambda wildcards: f"artifacts/{STUDY.load_tests[wildcards.load_test]['loads']}",
        data_folder=subpath(input.test_set, parent=True),
        source=lambda wildcards: digest_of("load_test.py", *FILES.load_test_modules(wildcards)),
    message:
        "load_test {wildcards.load_test}"
    script:
        "../scripts/load_test.py"
