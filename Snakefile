# One study: params.yaml of the working directory (`--directory studies/<name>` gives another one its own artifacts).
#
# data/prepared/                       fixed, encoded splits and the data card
# artifacts/checkpoint/                fine-tuned weights
# artifacts/onnx/<row>/                rows of `exports:` and `precisions:`
# artifacts/calibration/<row>/         rows of `calibrations:`
# artifacts/engines/<row>/             rows of `engines:`
# artifacts/measurements/<candidate>.json
# artifacts/report/summary.{md,csv,json}


configfile: "params.yaml"


include: "workflow/rules/common.smk"


# Every artifact is a target of its own: a lost intermediate is made again, also where the report still exists.
rule all:
    input:
        PREPARED_FILES,
        CHECKPOINT_FILES,
        expand("artifacts/onnx/{row}/{file}", row=ONNX_ROWS, file=ONNX_FILES),
        expand("artifacts/calibration/{row}/{file}", row=STUDY.calibrations, file=CALIBRATION_FILES),
        expand("artifacts/engines/{row}/{file}", row=STUDY.engines, file=ENGINE_FILES),
        expand("artifacts/measurements/{candidate}.json", candidate=STUDY.candidates),
        expand("artifacts/report/summary.{form}", form=("md", "csv", "json")),
    message:
        "all artifacts of the study"


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/calibrate.smk"
include: "workflow/rules/precision.smk"
include: "workflow/rules/engine.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/report.smk"
