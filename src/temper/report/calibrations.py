"""What calibration methods, rows and sample counts are worth: one study's INT8 files, held against its baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from temper.artifacts.manifest import read_document
from temper.errors import ArtifactError
from temper.report.decide.compared_accuracy import Missing
from temper.report.filed import FiledStudy

SECONDS_FILE = "calibration_seconds.json"
OUTPUTS, INPUTS, OWN = "what products read and write", "what products read", "the method's own"
ABSENT = "–"


@dataclass(frozen=True)
class Cell:
    """One calibrated file. Accuracy is 0–1 on the test split; differences are from the baseline, with a 95 % interval."""

    candidate: str
    recipe: str  # which tensors are quantised: OUTPUTS, INPUTS or OWN
    method: str
    rows: str
    samples: int
    accuracy: float
    difference_points: float
    low_points: float
    high_points: float
    verdict: str
    flips: int

    @property
    def line(self) -> tuple[str, str, str]:
        """All but the samples."""
        return self.recipe, self.method, self.rows


def _rows(calibration: Mapping[str, Any]) -> str:
    rows = calibration["rows"]
    return rows if isinstance(rows, str) else f"label {rows['label']}"


def _recipe(study: FiledStudy, precision: Mapping[str, Any]) -> str:
    cache = study.manifest(f"calibration/{precision['calibration']}/cache.json")
    if cache["holds_quantized_model"]:
        return OWN
    return OUTPUTS if precision["quantize_outputs"] else INPUTS


def cells(study: FiledStudy) -> list[Cell]:
    """One of each calibrated file that was measured, in the order of the study's candidates.

    Raises:
        ArtifactError: two candidates would be the same cell: of two backends, or of options that the table does not show.
    """
    found: dict[tuple[Any, ...], Cell] = {}
    for name, candidate in study.params["candidates"].items():
        kind, _, row = candidate["loads"].partition("/")
        precision = study.params["calibrated_precisions"].get(row) if kind == "onnx" else None
        if precision is None or "quantize_outputs" not in precision:
            continue
        accuracy, paired = study.compared.candidates[name].accuracy, study.compared.candidates[name].paired
        if isinstance(accuracy, Missing) or paired is None:
            continue
        calibration = study.params["calibrations"][precision["calibration"]]
        cell = Cell(
            candidate=name,
            recipe=_recipe(study, precision),
            method=calibration["method"],
            rows=_rows(calibration),
            samples=calibration["samples"],
            accuracy=accuracy.accuracy,
            difference_points=paired.difference_points,
            low_points=paired.difference_low_points,
            high_points=paired.difference_high_points,
            verdict=paired.verdict,
            flips=paired.labels_differing,
        )
        other = found.setdefault((*cell.line, cell.samples), cell)
        if other is not cell:
            raise ArtifactError(
                asked=f"write the table of the calibrations of {study.folder}",
                happened=f"{other.candidate} and {name} are the same method, rows, samples and recipe",
                affected="the page; it was not changed",
                fix="name a study in which each is measured once, on one backend",
            )
    return list(found.values())


def _page(header: Sequence[str], lines: Mapping[tuple[str, ...], Mapping[int, str]], counts: Sequence[int]) -> str:
    page = ["| " + " | ".join([*header, *(f"{count:,}" for count in counts)]) + " |"]
    page.append("|" + " --- |" * len(header) + " ---: |" * len(counts))
    page += [
        "| " + " | ".join([*line, *(own.get(count, ABSENT) for count in counts)]) + " |" for line, own in lines.items()
    ]
    return "\n".join(page) + "\n"


def accuracy_table(study: FiledStudy) -> str:
    """Recipe, method and rows down, samples across: accuracy in %, difference in points with its verdict, flips."""
    found = cells(study)
    recipes = list(dict.fromkeys(cell.recipe for cell in found))
    lines: dict[tuple[str, ...], dict[int, str]] = {}
    for cell in sorted(found, key=lambda cell: recipes.index(cell.recipe)):
        points = f"{cell.difference_points:+.2f}".replace("-", "−")
        lines.setdefault(cell.line, {})[cell.samples] = (
            f"{100 * cell.accuracy:.2f}; {points} {cell.verdict}; {cell.flips}"
        )
    return _page(("quantised", "method", "rows"), lines, sorted({cell.samples for cell in found}))


def seconds_table(study: FiledStudy) -> str:
    """Method and rows down, samples across: seconds that calibrating took."""
    took = read_document(study.folder / SECONDS_FILE)
    lines: dict[tuple[str, ...], dict[int, str]] = {}
    for name, row in study.params["calibrations"].items():
        own = lines.setdefault((row["method"], _rows(row)), {})
        if name in took:
            own[row["samples"]] = f"{took[name]:.1f}"
    counts = sorted({row["samples"] for row in study.params["calibrations"].values()})
    return _page(("method", "rows"), lines, counts)
