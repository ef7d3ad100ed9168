"""`temper new-study`: a study from a checkpoint and data, by flags or by asking."""

import argparse
import contextlib
import sys
from typing import Any

ASKED = (
    "name",
    "checkpoint",
    "data",
    "test",
    "label_column",
    "test_rows",
    "test_share",
    "max_tokens",
    "fine_tune",
    "new_head",
    "gpu",
)


def _ask(question: str) -> str:
    """One line from the terminal; the question goes where a person sees it."""
    print(question, end="", file=sys.stderr, flush=True)
    return input()


def new_study(arguments: argparse.Namespace) -> int:
    """Make studies/<name>/ and print what was found, and the command that runs it."""
    from temper.commands.raw import track_raw_files
    from temper.orchestration.jobs import checkout_of
    from temper.studies.new import make_study
    from temper.studies.new_data import Given
    from temper.studies.questions import Questions

    checkout = checkout_of()
    given = {name: getattr(arguments, name) for name in ASKED}
    questions = Questions(given, suggested_without_asking=arguments.yes, ask=_ask)
    lists = Given(arguments.text_column, arguments.columns, arguments.quoting, arguments.label_names)
    with contextlib.redirect_stdout(sys.stderr):  # what libraries say
        made = make_study(checkout, questions, lists)
    print("\n".join(made.lines))
    track_raw_files(checkout / "studies" / made.name)
    return 0


def add_to(commands: Any) -> None:
    """Describe the command to argparse."""
    text = "make a study from a checkpoint and data; what is not given is asked"
    command = commands.add_parser("new-study", help=text, description=text)
    command.set_defaults(function=new_study)
    command.add_argument("name", nargs="?", help="name of the study: its folder below studies/")
    command.add_argument("--checkpoint", help="folder of a checkpoint that transformers saved")
    command.add_argument("--data", help="labelled texts (.tsv, .csv, .jsonl, .parquet), or a folder of images by label")
    command.add_argument("--test", help="labelled texts to test on (default: drawn from --data)")
    command.add_argument("--text-column", nargs="+", help="column of the text; two for pairs")
    command.add_argument("--label-column", help="column of the label")
    command.add_argument("--columns", nargs="+", help="names of the columns of a TSV or CSV file without a header")
    command.add_argument(
        "--quoting",
        action=argparse.BooleanOptionalAction,
        help="whether fields of TSV or CSV may stand in double quotes",
    )
    command.add_argument("--label-names", nargs="+", help="the data's labels in the order of the model's outputs")
    command.add_argument("--test-rows", help="test rows to draw from --data")
    command.add_argument("--test-share", help="share of each label's images to test on")
    command.add_argument("--max-tokens", help="longest row in tokens; what is beyond is cut")
    command.add_argument("--fine-tune", help="yes: train the checkpoint on the data; no: as it is")
    command.add_argument(
        "--new-head",
        help="with --fine-tune yes, where the checkpoint has as many labels of other names: yes trains a new classifier",
    )
    command.add_argument("--gpu", help="yes: TensorRT engines for an NVIDIA GPU as well")
    command.add_argument("--yes", action="store_true", help="take every suggestion without asking")
