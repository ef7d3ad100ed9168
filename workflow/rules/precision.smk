def calibration_folder(precision):
    """Folder of the cache that a precision's row reads; None for steps without one."""
    return f"artifacts/calibration/{precision['calibration']}" if "calibration" in precision else None


def calibration_files(precision):
    """The files of that cache; none for steps without one."""
    return [f"{calibration_folder(precision)}/{file}" for file in CALIBRATION_FILES if "calibration" in precision]


def search_folder(precision):
    """Folder of the search that chose which layers a precision's row keeps in float; None where it names none."""
    return f"artifacts/searches/{precision['search']}" if "search" in precision else None


def search_files(precision):
    """The file of that search that is read; none where the row names none."""
    return [f"{search_folder(precision)}/search.json"] if "search" in precision else []


rule convert_precision:
    input:
        lambda wildcards: artifact_files(f"onnx/{STUDY.conversions[wildcards.precision]['onnx']}"),
        cache=lambda wildcards: calibration_files(STUDY.conversions[wildcards.precision]),
        search=lambda wildcards: search_files(STUDY.conversions[wildcards.precision]),
    output:
        expand("artifacts/onnx/{{precision}}/{file}", file=ONNX_FILES),
        job=record_path("convert_precision", "{precision}"),
    log:
        "logs/convert_precision/{precision}.log",
    wildcard_constraints:
        precision=any_of(STUDY.conversions),
    params:
        step=lambda wildcards: STUDY.conversions[wildcards.precision]["step"],
        options=lambda wildcards: precision_options(STUDY.conversions[wildcards.precision]),
        external_data=STUDY.onnx_external_data,
        onnx_folder=lambda wildcards: f"artifacts/onnx/{STUDY.conversions[wildcards.precision]['onnx']}",
        calibration_folder=lambda wildcards: calibration_folder(STUDY.conversions[wildcards.precision]),
        search_folder=lambda wildcards: search_folder(STUDY.conversions[wildcards.precision]),
        folder="artifacts/onnx/{precision}",
        versions=lambda wildcards: versions_for(
            "convert_precision",
            wildcards.precision,
            *plugins.load("precisions", STUDY.conversions[wildcards.precision]["step"]).LIBRARIES,
        ),
        source=lambda wildcards: digest_of(
            "convert_precision.py", ("precisions", STUDY.conversions[wildcards.precision]["step"])
        ),
    message:
        "convert_precision {wildcards.precision}"
    script:
        "../scripts/convert_precision.py"
