# One study: params.yaml of the working directory (`--directory studies/<name>` gives another one its own artifacts).
#
# data/prepared/                       fixed, encoded splits and the data card
# artifacts/checkpoint/                fine-tuned weights
# artifacts/onnx/<row>/                rows of `exports:`, of the sections of precisions and of `quantization_aware:`
# artifacts/calibration/<row>/         rows of `calibrations:`
# artifacts/searches/<row>/            rows of `searches:`: each layer's sensitivity, the layers to keep in float
# artifacts/buckets/<row>.json         rows of `buckets:`: the sequence lengths to build engines for
# artifacts/engines/<row>/             rows of `engines:` and `bucketed_engines:`
# artifacts/measurements/<candidate>.json
# artifacts/remeasurements.json        cells that did not hold, taken once more (of several machines: a file below remeasurements/ each)
# machines/<machine>.json              rows of `machines:`: what was seen there; in git
# artifacts/load_tests/<row>.json      rows of `load_tests:`
# artifacts/report/                    the page, tables, observations, comparison, decision, metrics (src/temper/report/files.py)
# artifacts/jobs/<rule>/<row>.json     of each job: its settings, digests of what it read and of what it wrote


include: "workflow/rules/common.smk"


# Every artifact is a target of its own: a lost intermediate is made again, also where the report still exists.
rule all:
    input:
        FILES.prepared,
        FILES.checkpoint,
        expand("artifacts/onnx/{row}/{file}", row=STUDY.onnx_rows, file=FILES.onnx),
        expand("artifacts/calibration/{row}/{file}", row=STUDY.calibrations, file=CALIBRATION_FILES),
        expand("artifacts/searches/{row}/{file}", row=STUDY.searches, file=SEARCH_FILES),
        expand("artifacts/buckets/{row}.json", row=STUDY.buckets),
        expand("artifacts/engines/{row}/{file}", row=STUDY.engine_rows, file=FILES.engine),
        expand("artifacts/measurements/{candidate}.json", candidate=STUDY.candidates),
        expand(REMEASUREMENTS, place=PLACES),
        expand("artifacts/load_tests/{load_test}.json", load_test=STUDY.load_tests),
        [expand(f"{REPORT_FOLDER}/{name}", place=PLACES) for name in REPORT_NAMES],
        FILES.job_records,
    message:
        "all artifacts of the study"


onstart:
    anew = planning.is_forced(workflow.dag_settings)
    run_lock.hold([] if anew else made_files.whole(STUDY.jobs), share=not anew)
    coming.announce(workflow.dag)


onsuccess:
    run_lock.let_go()


onerror:
    run_lock.let_go()


include: "workflow/rules/machine.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/calibrate.smk"
include: "workflow/rules/precision.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/quantization_aware.smk"
include: "workflow/rules/buckets.smk"
include: "workflow/rules/engine.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/remeasure.smk"
include: "workflow/rules/load_test.smk"
include: "workflow/rules/report.smk"
