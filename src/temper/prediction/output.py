"""Answers as a table, as JSON, or as a file of labels; and what they were answered with."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import artifact_digest, write_text
from temper.errors import ConfigError
from temper.prediction.answer import Answers
from temper.prediction.choice import Choice
from temper.reading.letters import for_a_spreadsheet, for_a_terminal
from temper.report.formats import ABSENT

DIGITS = 4  # of confidences; JSON has them all
SHOWN_LETTERS = 100  # of a text in a table
OWN_COLUMNS = (
    "row",
    "label",
    "confidence",
    "confidences",
    "cut",
)  # of the answers: a file's of these names are renamed
FORMATS = {".tsv": "\t", ".csv": ",", ".jsonl": None}


@dataclass(frozen=True, eq=False)
class Predicted:
    """Answers with all that is said beside them.

    files: SHA-256 of the artifact's files by name.
    shown: what stands for each row.
    columns: what a file's answers say beside them, by name: its id and its texts.
    """

    study: str
    choice: Choice
    files: dict[str, str]
    shown: list[str]
    answers: Answers
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """Number (from 1), label, its confidence, every label's, and whether the row was cut; in the rows' order."""
        answers = self.answers
        cut = set(answers.cut_rows)
        return [
            {
                "row": number + 1,
                "label": answers.labels[number],
                "confidence": _or_none(answers.confidences[number]),
                "confidences": dict(zip(answers.label_names, map(float, own), strict=True)),
                "cut": number in cut,
            }
            for number, own in enumerate(answers.probabilities)
        ]

    @property
    def path(self) -> str:
        """Folder of the artifact, from the study's."""
        assert self.choice.record.artifact is not None
        return f"artifacts/{self.choice.record.artifact.loads}"

    def time_in_words(self) -> str:
        """'1,000 rows in 1.23 s, after 0.45 s of loading'."""
        count, answers = len(self.shown), self.answers
        return f"{count:,} row{'s' if count > 1 else ''} in {answers.answer_s:.3f} s, after {answers.load_s:.2f} s of loading"


def _or_none(confidence: float) -> float | None:
    """None where the answers are scores, of which a model does not say how sure it is."""
    return None if math.isnan(confidence) else float(confidence)


def _digits(confidence: float | None, nothing: str = ABSENT) -> str:
    return nothing if confidence is None else f"{confidence:.{DIGITS}f}"


def facts(found: Predicted) -> list[str]:
    """Which artifact answered, what was measured of it, what speaks against it, what was done otherwise than asked, the time."""
    choice, ran = found.choice, found.answers.ran
    device = ran.get("device") or ran.get("provider") or "cpu"
    return [
        f"artifact:  {found.path}, digest {artifact_digest(found.files)} (checked)",
        f"candidate: {choice.candidate}: {choice.why}",
        f"backend:   {choice.record.backend['name']}: {ran['library']} {ran.get('version', '')} on {device}",
        f"precision: {choice.precision}",
        f"accuracy:  {choice.accuracy}",
        *(f"warning:   {note}" for note in choice.notes),
        *(f"note:      {note}" for note in found.answers.notes),
        f"time:      {found.time_in_words()}",
    ]


def as_json(found: Predicted) -> str:
    """Everything, as one JSON object."""
    choice = found.choice
    rows = [{**row, "input": shown} for row, shown in zip(found.rows(), found.shown, strict=True)]
    content = {
        "study": found.study,
        "candidate": choice.candidate,
        "why": choice.why,
        "workload": choice.workload,
        "artifact": {"path": found.path, "digest": artifact_digest(found.files), "files_sha256": found.files},
        "backend": {"name": choice.record.backend["name"], "ran": found.answers.ran},
        "precision": choice.precision,
        "accuracy": choice.accuracy,
        "warnings": list(choice.notes),
        "notes": found.answers.notes,
        "load_s": found.answers.load_s,
        "answer_s": found.answers.answer_s,
        "rows": rows,
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_lines(found: Predicted, delimiter: str | None) -> str:
    """Row, label and confidence of each row, then its id and its texts: with a delimiter and a header, or as JSON lines
    with every confidence."""
    beside = {f"input_{name}" if name in OWN_COLUMNS else name: values for name, values in found.columns.items()}
    if delimiter is None:
        return "".join(
            json.dumps({**row, **{name: values[number] for name, values in beside.items()}}, ensure_ascii=False) + "\n"
            for number, row in enumerate(found.rows())
        )
    lines = io.StringIO()
    writer = csv.writer(lines, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["row", "label", "confidence", *map(for_a_spreadsheet, beside)])
    writer.writerows(
        [
            row["row"],
            for_a_spreadsheet(row["label"]),
            _digits(row["confidence"], nothing=""),
            *(for_a_spreadsheet(str(values[number])) for values in beside.values()),
        ]
        for number, row in enumerate(found.rows())
    )
    return lines.getvalue()


def check_output(output: Path, inputs: Sequence[Path], *, force: bool = False) -> None:
    """Check the path of a file of labels before anything is predicted.

    Raises:
        ConfigError: its ending is none of FORMATS, its folder is not there, it is a folder, or it is what is to be read; or
            it is there and `force` was not asked for.
    """
    happened, fix = None, ""
    if output.suffix.lower() not in FORMATS:
        happened, fix = f"its ending is {output.suffix or 'missing'}", f"give one of {', '.join(FORMATS)}"
    elif not output.parent.is_dir():
        happened, fix = f"there is no folder {output.parent}", "make it, or name another"
    elif output.is_dir():
        happened, fix = "it is a folder", "name a file in it"
    elif any(output.resolve() == one.resolve() for one in inputs):
        happened, fix = "it is the file that is to be predicted", "name another: it would be written over"
    elif output.exists() and not force:
        happened, fix = "it is there already", "name another file; or --force, which writes over it"
    if happened is not None:
        raise ConfigError(
            asked=f"write labels to {output}", happened=happened, affected="nothing was predicted", fix=fix
        )


def write_labels(found: Predicted, output: Path) -> None:
    """Write the labels as the file's ending says, whole or not at all."""
    write_text(output, as_lines(found, FORMATS[output.suffix.lower()]))


def print_table(found: Predicted) -> None:
    """Print inputs, labels and confidences as a table on standard output; of more than two labels the next two as well."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=found.study, title_justify="left")
    table.add_column("input", overflow="fold")
    for column in ("label", "confidence"):
        table.add_column(column, no_wrap=True)
    others = len(found.answers.label_names) > 2
    if others:
        table.add_column("next")
    for row, shown in zip(found.rows(), found.shown, strict=True):
        ordered = sorted(row["confidences"].items(), key=lambda item: -item[1])
        shown = for_a_terminal(shown)
        text = shown if len(shown) <= SHOWN_LETTERS else shown[: SHOWN_LETTERS - 1] + "…"
        cells = [text, for_a_terminal(row["label"]), _digits(row["confidence"])]
        table.add_row(
            *cells,
            *([", ".join(f"{label} {value:.{DIGITS}f}" for label, value in ordered[1:3])] if others else []),
        )
    console = Console(markup=False, highlight=False)
    console.print(table)
