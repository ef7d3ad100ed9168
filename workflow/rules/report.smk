from temper.report.files import CAPTIONS
from temper.report.page.templates import templates_digest

REPORT_FILES = [  # a line that begins with the word report is a directive to Snakemake
    f"{REPORT_FOLDER}/{name}" if name not in CAPTIONS else report(
        f"{REPORT_FOLDER}/{name}", caption=f"../report/{CAPTIONS[name][0]}", category=CAPTIONS[name][1]
    )
    for name in REPORT_NAMES
]


rule report:
    input:
        records=lambda wildcards: [f"artifacts/measurements/{name}.json" for name in STUDY.places[row_of(wildcards)]],
        remeasurements=REMEASUREMENTS,
        beside=beside_splits("test"),
        test_set="data/prepared/test.parquet",
        jobs=lambda wildcards: [
            *(record_path("measure", name) for name in STUDY.places[row_of(wildcards)]),
            record_path("remeasure", row_of(wildcards)),
        ],
    output:
        REPORT_FILES,
        job=record_path("report", PLACE),
    log:
        f"{Path('logs/report', PLACE)}.log",
    wildcard_constraints:
        place=any_of(PLACES),
    params:
        study=lambda wildcards: " on ".join(filter(None, (STUDY.study, row_of(wildcards)))),
        baseline=lambda wildcards: STUDY.baseline_on(row_of(wildcards)),
        analysis=plain(STUDY.analysis),
        engines={name: {"onnx": row.onnx} for name, row in STUDY.engine_rows.items()},
        folder=subpath(output[0], parent=True),
        data_folder=subpath(input.test_set, parent=True),
        source=digest_of("report.py"),
        templates=templates_digest(),
    message:
        f"report {PLACE and '{wildcards.place}'}".strip()
    script:
        "../scripts/report.py"
