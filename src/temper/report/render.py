"""The report's files, from records: nothing is measured here."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from temper.artifacts.manifest import canonical_json, staged_folder, write_text
from temper.measurement.record_file import read_record
from temper.measurement.remeasurements import read_remeasurements, settled
from temper.report.decide.compared import ComparedStudy
from temper.report.decide.compared_accuracy import ComparedAccuracy
from temper.report.decide.comparison import compare_records
from temper.report.decide.decided import Decision
from temper.report.decide.decision import decide
from temper.report.intact import check_jobs
from temper.report.observe.observations import observations_markdown
from temper.report.page.alone import trade_offs
from temper.report.page.asked_rows import read_asked_rows
from temper.report.page.flips import flipped_rows
from temper.report.page.material import Material
from temper.report.page.render import report_page
from temper.report.summary import summary
from temper.report.summary_markdown import markdown
from temper.report.tables import Row, rows


def _csv(all_rows: Sequence[Row]) -> str:
    stream = io.StringIO()
    percentiles = sorted({p for row in all_rows for p in row.latency_percentiles_ms or {}}, key=float)
    flat: list[dict[str, Any]] = []
    for row in all_rows:
        cells = asdict(row)
        own = cells.pop("latency_percentiles_ms") or {}
        flat.append({**cells, **{f"latency_p{p}_ms": own.get(p) for p in percentiles}})
    writer = csv.DictWriter(stream, fieldnames=list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return stream.getvalue()


NO_CHOICE = "none"


def metrics(comparison: ComparedStudy, decision: Decision) -> dict[str, dict[str, Any]]:
    """What a person reads of an experiment first, in as few columns of `dvc exp show` as that takes: the choices.

    Args:
        comparison: of the report.
        decision: of the report.

    Returns:
        By quantity and workload, of the candidate that was chosen: `choice` its name ('none' where there is none, and then the
        others are None, which DVC leaves out), `speed_up` the baseline's latency over its own, `accuracy` (0-1),
        `loses_at_most_points` (upper bound of 95 %), `flips` labels that are not the baseline's, `verdict` of accuracy and
        latency ('within, win'; 'provisional' before it where it is so).
    """
    found: dict[str, dict[str, Any]] = {
        key: {} for key in ("choice", "speed_up", "accuracy", "loses_at_most_points", "flips", "verdict")
    }
    for workload, decided in decision.workloads.items():
        name = decided.chosen
        own: dict[str, Any] = {"choice": name or NO_CHOICE, "loses_at_most_points": decided.loses_at_most_points}
        if name is not None:
            candidate = comparison.candidates[name]
            verdicts = (candidate.accuracy_verdict, candidate.workloads[workload].verdict)
            own |= {
                "speed_up": None if decided.latency_ratio is None else round(1 / decided.latency_ratio, 3),
                "accuracy": candidate.accuracy.accuracy if isinstance(candidate.accuracy, ComparedAccuracy) else None,
                "flips": candidate.paired.labels_differing if candidate.paired else None,
                "verdict": ", ".join(filter(None, ("provisional" if decided.provisional else "", *verdicts))),
            }
        for key, values in found.items():
            values[workload] = own.get(key)
    return found


def write_summary(
    *,
    study: str,
    baseline: str,
    analysis: Mapping[str, Any],
    engines: Mapping[str, Mapping[str, Any]],
    records: Sequence[str],
    remeasurements: str | None,
    jobs: Sequence[str],
    folder: str,
    data_folder: str | None = None,
) -> None:
    """Write the report's files (temper/report/files.py).

    Args:
        study: name of the study.
        baseline: the candidate that is the baseline itself, which the others are held against.
        analysis: the section of that name: margin and budget.
        engines: the section of that name: which ONNX file each was built from.
        records: paths of the records, in the order of the table.
        remeasurements: path of the cells that were taken once more; None where no job took any.
        jobs: paths of the job records of the measurements, which hold the records' digests.
        folder: where the summary goes.
        data_folder: prepared data: the page shows test rows whose label differs; None shows their numbers.

    Raises:
        ArtifactError: a record is not of this schema version, or was altered since it was measured.
    """
    check_jobs(jobs)
    taken_again = None if remeasurements is None else read_remeasurements(remeasurements)
    read = settled([read_record(path) for path in records], taken_again)
    compared = compare_records(study, read, baseline, analysis, engines)
    decision = decide(read, compared)
    shown = summary(read, compared, decision)
    asked = None if data_folder is None else read_asked_rows(data_folder, flipped_rows(compared))
    material = Material(study, read, compared, decision, asked)
    shown_page, pictures = report_page(material), trade_offs(material)
    in_given_order = json.dumps(shown.as_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with staged_folder(folder) as scratch:
        write_text(scratch / "report.html", shown_page)
        write_text(scratch / "trade_off.svg", pictures)
        write_text(scratch / "summary.md", markdown(read, compared, decision))
        write_text(scratch / "summary.csv", _csv(rows(read, compared)))
        write_text(scratch / "summary.json", in_given_order)
        write_text(scratch / "engineering_observations.md", observations_markdown(read, compared, decision))
        write_text(scratch / "comparison.json", canonical_json(compared.as_json()))
        write_text(scratch / "decision.json", canonical_json(decision.as_json()))
        write_text(scratch / "metrics.json", canonical_json(metrics(compared, decision)))
    print(f"{study}: {len(read)} candidates")
