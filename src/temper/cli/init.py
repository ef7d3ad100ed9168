"""`temper init`: a study from a checkpoint and data; what cannot be found out is asked."""

import contextlib
import sys
from typing import Annotated

from typer import Argument, Option

from temper.cli.command import Columns, Quoting
from temper.reading.letters import for_a_terminal

EXAMPLES = (
    "temper init mine --model my-model --data reviews.csv",
    "temper init sst2 --model distilbert-base-uncased-finetuned-sst-2-english --data sst2.csv",
)
MORE = "What cannot be found out is asked; what was found and taken is printed, and a flag changes it."


def _ask(question: str) -> str:
    """One line from the terminal; the question goes where a person sees it."""
    print(for_a_terminal(question), end="", file=sys.stderr, flush=True)
    return input()


def init(
    name: Annotated[
        str | None, Argument(metavar="NAME", help="Name of the study: its folder below studies/.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        Option(
            "--model",
            "--checkpoint",
            metavar="FOLDER|NAME",
            help="Folder of a checkpoint that transformers saved, or its name on the hub.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        Option(metavar="PATH", help="Labelled texts (.tsv, .csv, .jsonl, .parquet), or a folder of images by label."),
    ] = None,
    test: Annotated[
        str | None, Option(metavar="PATH", help="Labelled texts to test on (default: drawn from --data).")
    ] = None,
    text_column: Annotated[
        list[str] | None, Option(metavar="NAME...", help="Column of the text; two for pairs.")
    ] = None,
    label_column: Annotated[
        str | None,
        Option(
            metavar="NAME", help="Column of the label; several with commas between where each is 1 or 0 for one label."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        Option(
            metavar="KIND",
            help="What a row's label is: single_label, multi_label, score, token_classification or embedding.",
            show_default="by the checkpoint's head and the table's form",
        ),
    ] = None,
    columns: Columns = None,
    quoting: Quoting = None,
    label_names: Annotated[
        list[str] | None,
        Option(metavar="NAME...", help="The data's labels in the order of the model's outputs."),
    ] = None,
    test_rows: Annotated[str | None, Option(metavar="N", help="Test rows to draw from --data.")] = None,
    test_share: Annotated[str | None, Option(metavar="SHARE", help="Share of each label's images to test on.")] = None,
    max_tokens: Annotated[str | None, Option(metavar="N", help="Longest row in tokens; what is beyond is cut.")] = None,
    fine_tune: Annotated[
        str | None, Option(metavar="yes|no", help="Train the checkpoint on the data, or take it as it is.")
    ] = None,
    new_head: Annotated[
        str | None,
        Option(
            metavar="yes|no",
            help="With --fine-tune yes, where the checkpoint has as many labels of other names: train a new classifier.",
        ),
    ] = None,
    gpu: Annotated[
        str | None,
        Option(
            metavar="yes|no", help="TensorRT engines for an NVIDIA GPU as well (default: where this machine has one)."
        ),
    ] = None,
    ask: Annotated[bool, Option("--ask", help="Ask about everything; Enter takes what is suggested.")] = False,
    yes: Annotated[bool, Option("--yes", hidden=True, help="As without --ask.")] = False,
    force: Annotated[
        bool,
        Option("--force", help="In the place of a study of that name, where all that is in it was made by Temper."),
    ] = False,
    directory: Annotated[
        str, Option("--directory", "-C", metavar="DIR", help="In whose checkout.", show_default="this one")
    ] = ".",
) -> int:
    """Make studies/<name>/ and print what was found, and the command that runs it."""
    from temper.cli.raw import track_raw_files
    from temper.orchestration.jobs import checkout_of
    from temper.studies.made import note_files
    from temper.studies.new import make_study
    from temper.studies.new_data import Given
    from temper.studies.questions import Questions

    checkout = checkout_of(directory)
    given = {
        "name": name,
        "model": model,
        "data": data,
        "test": test,
        "label_column": label_column,
        "labels": labels,
        "test_rows": test_rows,
        "test_share": test_share,
        "max_tokens": max_tokens,
        "fine_tune": fine_tune,
        "new_head": new_head,
        "gpu": gpu,
    }
    questions = Questions(given, suggested_without_asking=yes or not ask, ask=_ask)
    lists = Given(text_column, columns, quoting, label_names)
    with contextlib.redirect_stdout(sys.stderr):  # what libraries say
        made = make_study(checkout, questions, lists, replaces=force)
    *found, how_to_run = made.lines
    print("\n".join(map(for_a_terminal, found)), flush=True)
    study = checkout / "studies" / made.name
    track_raw_files(study)
    note_files(study)
    print(how_to_run)
    return 0
