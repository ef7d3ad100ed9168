"""`temper predict`: labels for texts, images or the rows of a file, by the artifact that the decision chose."""

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.errors import BackendError, ConfigError, Unavailable

if TYPE_CHECKING:
    from temper.prediction.output import Predicted


def _predicted(arguments: argparse.Namespace, base: Path) -> "tuple[Predicted, bool]":
    """The answers of the study in the working directory, and whether they are for the rows of a file."""
    from temper.prediction.answer import answer, check_artifact, prepared
    from temper.prediction.choice import choose, instead
    from temper.prediction.inputs import RowsFile, read_inputs
    from temper.prediction.output import Predicted
    from temper.report.finished import read_finished

    finished = read_finished()
    asked = read_inputs(
        arguments.inputs,
        base=base,
        task=finished.params["model"]["task"],
        data=finished.params["data"],
        how=RowsFile(arguments.text_column, arguments.columns, arguments.quoting, arguments.id_column),
        as_text=arguments.text,
    )
    choice = choose(finished, candidate=arguments.candidate, workload=arguments.workload, rows=len(asked.examples))
    files = check_artifact(choice)
    how = prepared(files, len(finished.params["data"].get("text") or [""]))
    try:
        answers = answer(choice, files, how, asked.examples, batch_size=arguments.batch_size, strict=arguments.strict)
    except Unavailable as lacking:
        raise BackendError(
            asked=f"predict with {choice.candidate} on {choice.record.backend['name']}",
            happened=f"this machine lacks what it needs: {lacking.reason}",
            spoiled="nothing: it was not run on another device",
            fix=instead(finished, choice.workload, choice.candidate),
        ) from None
    return Predicted(finished.comparison["study"], choice, files, asked.shown, answers, asked.columns), asked.from_file


def predict(arguments: argparse.Namespace) -> int:
    """Print or write labels with their confidences, and say which artifact they are from."""
    from temper.prediction.output import as_json, as_lines, check_output, facts, print_table, write_labels

    base, study = Path.cwd(), Path(arguments.directory)
    if not (study / "params.yaml").is_file():
        raise ConfigError(
            asked=f"predict with the study in {study}",
            happened=f"{study / 'params.yaml'} does not exist",
            spoiled="nothing",
            fix="name the folder of a study: --directory studies/<name>",
        )
    output = None if arguments.output is None else base / arguments.output
    if output is not None:
        check_output(output, [base / name for name in arguments.inputs], force=arguments.force)
    os.chdir(study)  # its artifacts, and what backends keep beside them
    with contextlib.redirect_stdout(sys.stderr):  # what libraries say is no answer
        found, from_file = _predicted(arguments, base)
    if arguments.json:
        print("".join(f"warning:   {each}\n" for each in found.choice.notes), end="", file=sys.stderr)
        sys.stdout.write(as_json(found))
        return 0
    if output is not None:
        write_labels(found, output)
    elif from_file:
        sys.stdout.write(as_lines(found, "\t"))
    else:
        print_table(found)
    print("\n".join(facts(found)), file=sys.stderr)
    if output is not None:
        print(f"written:   {arguments.output}", file=sys.stderr)
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def add_to(commands: Any) -> None:
    """Describe the command to argparse."""
    text = "labels with confidences for texts, images or a file of rows"
    command = commands.add_parser("predict", help=text, description=text)
    command.set_defaults(function=predict)
    command.add_argument(
        "inputs",
        nargs="+",
        help="texts; or paths of images; or one file of rows (.tsv, .csv, .jsonl, .parquet, .txt); or - "
        "for a text a line from standard input",
    )
    command.add_argument("--directory", default=".", help="the study's folder (default: this one)")
    command.add_argument("--candidate", help="a row of candidates (default: the decision's choice)")
    command.add_argument("--workload", help="whose decision counts (default: the batch size nearest to the inputs)")
    command.add_argument("--batch-size", type=_positive, help="rows of a call (default: as the accuracy was measured)")
    command.add_argument(
        "--strict", action="store_true", help="refuse what would be cut: long texts, calls that do not fit"
    )
    command.add_argument(
        "--force", action="store_true", help="write over the file that --output names, where it is there"
    )
    command.add_argument("--text", action="store_true", help="every input is a text, also where it looks like a path")
    command.add_argument("--text-column", nargs="+", help="of a file of rows (default: the study's)")
    command.add_argument(
        "--id-column", help="that names the rows of a file, in its answers (default: id, where there is one)"
    )
    command.add_argument("--columns", nargs="+", help="names of the columns of a TSV or CSV file without a header")
    command.add_argument(
        "--quoting",
        action=argparse.BooleanOptionalAction,
        help="whether fields of TSV or CSV may stand in double quotes",
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="everything as one JSON object on standard output")
    form.add_argument("--output", help="write row, label, confidence, id and texts to this file: .tsv, .csv or .jsonl")
