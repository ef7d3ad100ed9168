"""Test rows whose label is another than the baseline's, for the page's table of flips."""

import base64
from typing import Any

from temper.report.decide.compared import ComparedStudy
from temper.report.decide.compared_accuracy import Flipped
from temper.report.page.material import Material

MOST = 400  # of one candidate: those of which it is surest
LONGEST = 1200  # letters of a text


def _direction(flip: Flipped) -> str:
    if flip.baseline == flip.label:
        return "lost"
    return "gained" if flip.candidate == flip.label else "other"


def flips(material: Material) -> dict[str, Any]:
    """Content of the table of flips, for the page's script.

    Returns:
        rows: by number, {label, text} or {label, picture} of each test row that somewhere has another label.
        candidates: by name, {count, lost, gained, other, left_out, flips}; a flip is [row, baseline's answer, its confidence,
            candidate's answer, its confidence, direction]; a confidence is None where the answers are scores.
        labels: names of the classes.
    """
    shown: dict[str, Any] = {}
    rows: dict[int, dict[str, str]] = {}
    labels: dict[str, None] = {}
    for record in material.records:
        paired = material.paired(record.candidate)
        if paired is None or paired.is_baseline or record.candidate == material.baseline:
            continue
        found = sorted(paired.flipped, key=lambda flip: (-(flip.candidate_confidence or 0.0), flip.row))
        for flip in found[:MOST]:
            rows.setdefault(flip.row, {"label": flip.label, **_asked(material, flip.row)})
            labels |= dict.fromkeys((flip.label, flip.baseline, flip.candidate))
        shown[record.candidate] = {
            "count": paired.labels_differing,
            "of": paired.rows,
            "lost": paired.counted.right_to_wrong,
            "gained": paired.counted.wrong_to_right,
            "other": paired.counted.wrong_to_other_wrong,
            "left_out": max(0, len(found) - MOST),
            "flips": [
                [
                    flip.row,
                    flip.baseline,
                    flip.baseline_confidence,
                    flip.candidate,
                    flip.candidate_confidence,
                    _direction(flip),
                ]
                for flip in found[:MOST]
            ],
        }
    return {"rows": {str(row): rows[row] for row in sorted(rows)}, "candidates": shown, "labels": sorted(labels)}


def _asked(material: Material, row: int) -> dict[str, str]:
    """What the model was asked, where it is known."""
    if material.rows is None:
        return {}
    if row in material.rows.pictures:
        return {"picture": base64.b64encode(material.rows.pictures[row]).decode("ascii")}
    if row < len(material.rows.texts) and material.rows.texts[row]:
        text = material.rows.texts[row]
        return {"text": text if len(text) <= LONGEST else text[:LONGEST] + "…"}
    return {}


def flipped_rows(compared: ComparedStudy) -> list[int]:
    """Numbers of all test rows that any candidate answers otherwise than the baseline."""
    paired = (own.paired for own in compared.candidates.values())
    return sorted({flip.row for each in paired if each is not None for flip in each.flipped})
