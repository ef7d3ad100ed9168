"""`temper predict`: labels for texts, images or the rows of a file, by the artifact that the decision chose."""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from temper.cli.command import Columns, Directory, Machine, Quoting
from temper.cli.package import Candidate
from temper.cli.study_folder import check_study_folder
from temper.reading.typed import as_typed

if TYPE_CHECKING:
    from temper.prediction.inputs import RowsFile
    from temper.prediction.output import Predicted


EXAMPLES = (
    'temper predict -C studies/mine "a charming film"',
    "temper predict -C studies/mine reviews.csv --text-column review --output labels.csv",
    "cat reviews.txt | temper predict -C studies/mine -",
)


@dataclass(frozen=True)
class Asked:
    """What is to be answered, and how.

    how: columns and quoting of a file of rows.
    as_text: every input is a text.
    """

    inputs: list[str]
    how: "RowsFile"
    as_text: bool
    candidate: str | None
    workload: str | None
    batch_size: int | None
    strict: bool
    machine: str | None = None


def _predicted(wanted: Asked, base: Path) -> "tuple[Predicted, bool]":
    """The answers of the study in the working directory, and whether they are for the rows of a file."""
    from temper.prediction.answered import answered
    from temper.prediction.inputs import read_inputs
    from temper.prediction.output import Predicted
    from temper.report.finished import read_finished

    finished = read_finished(machine=wanted.machine, candidate=wanted.candidate)
    asked = read_inputs(
        wanted.inputs,
        base=base,
        task=finished.params["model"]["task"],
        data=finished.params["data"],
        how=wanted.how,
        as_text=wanted.as_text,
    )
    choice, files, answers = answered(
        finished,
        asked.examples,
        candidate=wanted.candidate,
        workload=wanted.workload,
        batch_size=wanted.batch_size,
        strict=wanted.strict,
    )
    return Predicted(finished.comparison.study, choice, files, asked.shown, answers, asked.columns), asked.from_file


def predict(
    inputs: Annotated[
        list[str],
        Argument(
            metavar="INPUT",
            help="Texts; or paths of images; or one file of rows (.tsv, .csv, .jsonl, .parquet, .txt); or - for a text a line "
            "from standard input.",
            show_default=False,
        ),
    ],
    directory: Directory = ".",
    candidate: Candidate = None,
    workload: Annotated[
        str | None,
        Option(metavar="NAME", help="Whose decision counts (default: the batch size nearest to the inputs)."),
    ] = None,
    machine: Machine = None,
    batch_size: Annotated[
        int | None, Option(min=1, metavar="N", help="Rows of a call (default: as the accuracy was measured).")
    ] = None,
    strict: Annotated[
        bool, Option("--strict", help="Refuse what would be cut: long texts, calls that do not fit.")
    ] = False,
    force: Annotated[
        bool, Option("--force", help="Write over the file that --output names, where it is there.")
    ] = False,
    text: Annotated[bool, Option("--text", help="Every input is a text, also where it looks like a path.")] = False,
    text_column: Annotated[
        list[str] | None, Option(metavar="NAME...", help="Of a file of rows (default: the study's).")
    ] = None,
    id_column: Annotated[
        str | None,
        Option(metavar="NAME", help="That names the rows of a file, in its answers (default: id, where there is one)."),
    ] = None,
    columns: Columns = None,
    quoting: Quoting = None,
    json: Annotated[bool, Option("--json", help="Everything as one JSON object on standard output.")] = False,
    output: Annotated[
        str | None,
        Option(metavar="FILE", help="Write row, label, confidence, id and texts to this file: .tsv, .csv or .jsonl."),
    ] = None,
) -> int:
    """Print or write labels with their confidences, and say which artifact they are from."""
    from temper.prediction.inputs import RowsFile
    from temper.prediction.output import as_json, as_lines, check_output, facts, print_table, write_labels

    if json and output is not None:
        raise typer.BadParameter("--json and --output are not both possible: --json answers on standard output")
    base, study = Path.cwd(), Path(directory)
    check_study_folder(study, f"predict with the study in {study}")
    target = None if output is None else base / output
    if target is not None:
        check_output(target, [base / name for name in inputs], force=force)
    wanted = Asked(
        inputs=inputs,
        how=RowsFile(text_column, columns, quoting, id_column),
        as_text=text,
        candidate=candidate,
        workload=workload,
        batch_size=batch_size,
        strict=strict,
        machine=machine,
    )
    os.chdir(study)  # its artifacts, and what backends keep beside them
    with contextlib.redirect_stdout(sys.stderr):  # what libraries say is no answer
        found, from_file = _predicted(wanted, base)
    if json:
        print("".join(f"warning:   {as_typed(each)}\n" for each in found.choice.notes), end="", file=sys.stderr)
        sys.stdout.write(as_json(found))
        return 0
    if target is not None:
        write_labels(found, target)
    elif from_file:
        sys.stdout.write(as_lines(found, "\t"))
    else:
        print_table(found)
    print(as_typed("\n".join(facts(found))), file=sys.stderr)
    if target is not None:
        print(f"written:   {output}", file=sys.stderr)
    return 0
