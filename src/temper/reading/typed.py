"""Commands as a person can type them from where they stand: with the study's folder that their own command named."""

import contextlib
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

CHANGES_NO_RESULT = "it words what a person is told to type, in errors and on the terminal"
STUDY = "TEMPER_STUDY_AS_TYPED"  # the folder of -C; jobs inherit it, for the run shows what they say
# that work on one study; `studies` and `init` do not, and `check` is told with a file
_COMMANDS = (
    *("calibration-study", "clean", "commit", "compare", "diagnose", "experiment", "experiments", "forget", "optimize"),
    *(
        "package",
        "plan",
        "predict",
        "pull",
        "push",
        "raw",
        "report",
        "results",
        "run",
        "serve",
        "sync",
        "table",
        "track",
    ),
    *("upgrade", "verify-remote"),
)
# not where the command names a folder already, or the word after it is a path
_WITHOUT_A_FOLDER = re.compile(
    rf"\btemper ({'|'.join(sorted(_COMMANDS, key=len, reverse=True))})(?![\w-])(?! +[\w.]*/)"
    r"(?![^;:,()`]* (?:-C|--directory|--filed|--package)\b)"
)
_NAME = r"(?: STUDY=[\w.-]*[\w-])?"
_AGAIN = re.compile(
    rf"\bmake remeasure{_NAME}|\b(?:snakemake --cores 1 --forcerun|temper run -C (?:'[^']*'|[^\s']+) --again) remeasure\b"
)


@contextlib.contextmanager
def typed_study(directory: str | None) -> Iterator[None]:
    """Commands that are named inside the block are about this study.

    Args:
        directory: as it was typed; None or the working directory itself: commands need no -C.
    """
    before = os.environ.pop(STUDY, None)
    if directory is not None and os.path.normpath(directory) != ".":
        os.environ[STUDY] = directory
    try:
        yield
    finally:
        os.environ.pop(STUDY, None)
        if before is not None:
            os.environ[STUDY] = before


def typed_for(study: Path) -> str:
    """A study's folder as it was typed, else by the shorter of its paths; it may be the working directory."""
    return os.environ.get(STUDY) or min(os.path.relpath(study), str(study.resolve()), key=len)


def temper_command(name: str, options: str = "") -> str:
    """A command of `temper` for the study at hand: 'temper run -C studies/mine --again remeasure'.

    Args:
        name: of the command.
        options: that follow the study's folder.
    """
    directory = os.environ.get(STUDY)
    where = "" if directory is None else f"-C {shlex.quote(directory)}"
    return " ".join(filter(None, ["temper", name, where, options]))


def with_the_folder(text: str) -> str:
    """A text whose commands of `temper` name the study's folder where the person's own command named it."""
    if STUDY not in os.environ:
        return text
    return _WITHOUT_A_FOLDER.sub(lambda match: temper_command(match[1]), text)


def as_typed(sentence: str) -> str:
    """A sentence of a report as a command shows it: what measures again is named as `temper` has it.

    Reports keep what is typed at the checkout's root.
    """
    return _AGAIN.sub(lambda match: temper_command("run", "--again remeasure"), sentence)
