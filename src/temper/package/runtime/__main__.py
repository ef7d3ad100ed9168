"""`python -m package_runtime TEXT …`: answers on the command line; `serve` answers over HTTP."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .errors import InputError, PackageError
from .model import FOLDER, Score, load


def _inputs(given: Sequence[str]) -> list[str]:
    """What the command line names; the lines of standard input where it is '-' alone."""
    if list(given) != ["-"]:
        return list(given)
    try:
        return [line.rstrip("\r\n") for line in sys.stdin if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(
            asked="read texts from standard input",
            happened=f"it is not UTF-8: {error.reason} at byte {error.start}",
            affected="this call",
            fix="convert it to UTF-8",
        ) from None


def _rows(given: Sequence[str], *, is_text: bool, texts_per_row: int) -> list[Any]:
    if is_text:
        return list(given) if texts_per_row == 1 else [given[at : at + 2] for at in range(0, len(given), 2)]
    try:
        return [Path(path).read_bytes() for path in given]
    except OSError as error:
        raise InputError(
            asked=f"read the image {error.filename}",
            happened=f"{error.strerror}",
            affected="this call",
            fix="correct its path",
        ) from None


def _answer(arguments: argparse.Namespace) -> int:
    given = _inputs(arguments.inputs)
    with load(arguments.folder) as model:
        if model.is_text and len(given) == 1 and os.path.isfile(given[0]):
            print(
                f"note: {given[0]!r} is a file, and its name is answered; - < FILE answers each line", file=sys.stderr
            )
        rows = _rows(given, is_text=model.is_text, texts_per_row=model.texts_per_row)
        for row, answer in zip(rows, model.answer(rows, arguments.batch_size), strict=True):
            if arguments.json:
                print(json.dumps(asdict(answer), ensure_ascii=False))
                continue
            shown = row if isinstance(row, str) else " | ".join(row) if isinstance(row, list) else ""
            cut = "\t(cut)" if answer.cut else ""
            sure = "" if isinstance(answer, Score) else f"\t{answer.confidence:.4f}"
            print(f"{answer.label}{sure}\t{shown}{cut}")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Answer, or serve; errors in four parts and exit code 1."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        if argv[:1] == ["serve"]:
            from .serve import serve_command

            return serve_command(argv[1:])
        parser = argparse.ArgumentParser(
            prog="python -m package_runtime",
            description="answers to texts or images; `serve` instead of them answers over HTTP",
        )
        parser.add_argument(
            "inputs", nargs="+", help="texts, or paths of images; - reads a text a line from standard input"
        )
        parser.add_argument("--json", action="store_true", help="a JSON object a line, with all that an answer has")
        parser.add_argument(
            "--batch-size", type=_positive, help="rows of a call (default: as the accuracy was measured)"
        )
        parser.add_argument("--folder", default=str(FOLDER), help="the package's (default: the one this lies in)")
        return _answer(parser.parse_args(argv))
    except PackageError as error:
        print(f"{type(error).__name__}:{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
