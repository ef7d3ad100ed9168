"""Rows of params.yaml that make ONNX files, held against each other: exports, calibrations, precisions, searches, training."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from temper.environment import plugins
from temper.study.params_rows import check_options, chosen, need
from temper.study.refusal import params_error
from temper.study.schema import PACKING_STEP, Study
from temper.study.sections.quantization_aware import check_calibration

TRUNCATION_STEP = "truncate"  # temper/transforms/truncate.py
ONNX_SECTIONS = "exports, precisions, calibrated_precisions, searched_precisions or quantization_aware"


def precision_options(row: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a precision's row that belongs to its step: all but the links to other rows."""
    return {key: value for key, value in row.items() if key not in ("step", "onnx", "calibration", "search")}


def check_onnx(study: Study) -> None:
    """Check every row that makes an ONNX file.

    Raises:
        ConfigError: with the row and what is wrong with it.
    """
    onnx_rows = study.onnx_rows
    for name in sorted(
        name
        for name, times in Counter(
            [
                *study.exports,
                *study.precisions,
                *study.calibrated_precisions,
                *study.searched_precisions,
                *study.quantization_aware,
            ]
        ).items()
        if times > 1
    ):
        raise params_error(
            f"{name!r} is a row of two of {ONNX_SECTIONS}; both would be artifacts/onnx/{name}/",
            "rename one of the two",
        )
    for name, calibration in study.calibrations.items():
        need(calibration.onnx, onnx_rows, f"calibrations.{name}.onnx", ONNX_SECTIONS)
        options = study.calibration_methods.get(calibration.method)
        if options is None and calibration.method in plugins.names("calibration"):
            raise params_error(
                f"calibrations.{name}.method is {calibration.method!r}, but calibration_methods has no such row",
                f"add calibration_methods.{calibration.method} with its options",
            )
        check_options(
            "calibration",
            calibration.method,
            options or {},
            f"calibration_methods.{calibration.method}" if options is not None else f"calibrations.{name}",
            "method",
        )
    for method, options in study.calibration_methods.items():
        check_options("calibration", method, options, f"calibration_methods.{method}", "<name>")
    for section, calibrated in (("precisions", False), ("calibrated_precisions", True), ("searched_precisions", True)):
        for name, row in getattr(study, section).items():
            _check_conversion(study, section, name, row, calibrated)
    _check_packing(study)
    _check_truncation(study)
    _check_searches(study)
    _check_quantization_aware(study)


def _check_packing(study: Study) -> None:
    longest = study.data["max_tokens"]
    for name, row in study.conversions.items():
        if row["step"] == PACKING_STEP and longest is not None and row["row_tokens"] < longest:
            raise params_error(
                f"precisions.{name}.row_tokens is {row['row_tokens']}, below data.max_tokens ({longest}): a sentence would "
                "not fit into a row",
                f"set it to {longest} or more",
            )
    for name, calibration in study.calibrations.items():
        if study.row_tokens(calibration.onnx) is not None:
            raise params_error(
                f"calibrations.{name}.onnx is {calibration.onnx!r}, which takes packed rows, and calibration runs padded ones",
                "calibrate the ONNX row that it was packed from",
            )


def _check_truncation(study: Study) -> None:
    longest = study.data["max_tokens"]
    for name, row in study.precisions.items():
        if row["step"] == TRUNCATION_STEP and longest is not None and row["max_tokens"] >= longest:
            raise params_error(
                f"precisions.{name}.max_tokens is {row['max_tokens']}, not below data.max_tokens ({longest}): "
                "no row would be cut",
                f"set it below {longest}, or load the row that it starts from",
            )


def _check_conversion(study: Study, section: str, name: str, row: Mapping[str, Any], calibrated: bool) -> None:
    place = f"{section}.{name}"
    step = chosen(row, "step", place)
    module = check_options("steps", step, precision_options(row), place, "step")
    if calibrated != module.NEEDS_CALIBRATION:
        raise params_error(
            f"{place} has the step {step}, which reads {'a' if module.NEEDS_CALIBRATION else 'no'} calibration cache",
            f"move the row to {'calibrated_precisions' if module.NEEDS_CALIBRATION else 'precisions'}",
        )
    need(chosen(row, "onnx", place), study.onnx_rows, f"{place}.onnx", ONNX_SECTIONS)
    if calibrated:
        need(chosen(row, "calibration", place), study.calibrations, f"{place}.calibration", "calibrations")
        used = study.calibrations[row["calibration"]]
        if used.onnx != row["onnx"]:
            raise params_error(
                f"{place} starts from onnx/{row['onnx']}, but its calibration {row['calibration']!r} holds the "
                f"ranges of onnx/{used.onnx}",
                "calibrate the ONNX row that the precision starts from",
            )
    elif "calibration" in row:
        raise params_error(
            f"{place}.calibration is given, but the step {step} reads no calibration cache",
            "remove the key, or choose a static step",
        )
    _check_searched(study, section, row, place, module)
    _check_chain(study, name)


def _check_searched(study: Study, section: str, row: Mapping[str, Any], place: str, module: Any) -> None:
    if section != "searched_precisions":
        if "search" in row:
            raise params_error(
                f"{place}.search is given, but {section} reads no search", "move the row to searched_precisions"
            )
        return
    need(chosen(row, "search", place), study.searches, f"{place}.search", "searches")
    if "keep_in_float" not in module.Options.model_fields:
        raise params_error(
            f"{place} has the step {row['step']}, which keeps no layers in float",
            "move the row to calibrated_precisions, or choose a step with keep_in_float",
        )
    searched = study.searches[row["search"]]
    if searched.reference != row["onnx"]:
        raise params_error(
            f"{place} starts from onnx/{row['onnx']}, but its search {row['search']!r} chose layers of "
            f"onnx/{searched.reference}",
            "search in the ONNX row that the precision starts from",
        )


def _check_searches(study: Study) -> None:
    for name, search in study.searches.items():
        place = f"searches.{name}"
        need(search.onnx, study.calibrated_precisions, f"{place}.onnx", "calibrated_precisions")
        made_from = study.calibrated_precisions[search.onnx].get("onnx")
        if made_from != search.reference:
            raise params_error(
                f"{place}.reference is {search.reference!r}, but {search.onnx} starts from {made_from!r}",
                f"set {place}.reference to {made_from}",
            )
        rows = study.data.get("validation_rows")
        if isinstance(rows, int) and search.rows > rows:
            raise params_error(
                f"{place}.rows is {search.rows}, more than the {rows} rows of data.validation_rows",
                "ask for fewer rows, or make data.validation_rows larger",
            )


def _check_quantization_aware(study: Study) -> None:
    for name, row in study.quantization_aware.items():
        place = f"quantization_aware.{name}"
        need(row.onnx, study.exports, f"{place}.onnx", "exports")
        need(row.calibration, study.calibrations, f"{place}.calibration", "calibrations")
        check_calibration(place, row, study.calibrations[row.calibration].onnx)


def _check_chain(study: Study, name: str) -> None:
    seen = [name]
    while (row := study.conversions.get(seen[-1])) is not None:
        if row.get("onnx") in seen:
            raise params_error(
                f"the precisions {' → '.join([*seen, row['onnx']])} start from each other",
                "let one of them start from a row of exports",
            )
        seen.append(str(row.get("onnx")))
