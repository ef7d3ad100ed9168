"""Errors raised on purpose.

PipelineError
├── ConfigError              params.yaml contradicts itself or names what does not exist
├── DataError                a data source does not hold what params.yaml says it holds
├── ArtifactError            a checkpoint, ONNX file, cache or engine is not what its path promises
│   ├── ParityError          two forms of one model answer differently
│   └── ForeignArtifacts     artifacts were put here that Snakemake did not make
├── BackendError             a backend cannot load or run an artifact
│   ├── ProviderNotActive    ONNX Runtime activated another execution provider than asked
│   └── PrecisionNotActive   a backend runs in another precision than asked
├── MachineError             a job runs on another kind of machine than it was planned for
├── LibraryError             a library is absent, or present in another version than asked
├── LoadTestError            LoadGen crashed, hung or left no result, or a runner failed under its traffic
├── BusyError                another run works in this folder
├── ExperimentError          DVC or git cannot do what was asked
├── StorageError             the disk is full, or a folder cannot be written
├── NoMemoryError            memory ran out, of the machine or of a limit that is set
├── EndedError               a job's process was killed, or crashed
└── UsageError               a command line that `temper` does not understand

Unavailable is no error: this machine lacks what a row needs; recorded with the reason, never replaced.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping

from temper.reading.letters import for_a_terminal
from temper.reading.typed import as_typed, with_the_folder

CHANGES_NO_RESULT = "a job that raises one leaves no result; the reason in Unavailable is the words of who raises it"


_LONGEST = 1200  # letters of a part of a message: what a file holds may be quoted in it


def _short(part: str) -> str:
    return part if len(part) <= _LONGEST else f"{part[: _LONGEST - 1]}…"


class PipelineError(Exception):
    """Says what was asked, what happened, what is affected by it and how to fix it."""

    def __init__(self, *, asked: str, happened: str, affected: str, fix: str) -> None:
        happened, fix = as_typed(happened), with_the_folder(as_typed(fix))
        # what a file or a name holds may be meant for the terminal that shows it
        parts = (for_a_terminal(_short(part), kept="\n") for part in (asked, happened, affected, fix))
        asked, happened, affected, fix = self.asked, self.happened, self.affected, self.fix = tuple(parts)
        super().__init__(f"\n  asked:    {asked}\n  happened: {happened}\n  affected: {affected}\n  fix:      {fix}")


def in_plain_words(said: str) -> str:
    """What pydantic says of a value, without its words before ours: 'has to be a valid number'."""
    said = said.replace("Value error, ", "", 1).replace("Input should be", "has to be")
    return said.partition(", unable to parse")[0]


@contextlib.contextmanager
def restated(affected: str, words: Mapping[str, str]) -> Iterator[None]:
    """Errors that leave the block name what the user named.

    Args:
        affected: what they say is affected.
        words: what is put in the place of what; may grow inside the block.
    """

    def said(text: str) -> str:
        if not words:
            return text
        found = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
        # in one pass, so that nothing is put in twice; and never into the end of a longer path
        return re.sub(rf"(?<![\w/])(?:{found})", lambda match: words[match[0]], text)

    try:
        yield
    except PipelineError as error:
        raise type(error)(
            asked=said(error.asked), happened=said(error.happened), affected=affected, fix=said(error.fix)
        ) from error.__cause__


class ConfigError(PipelineError):
    """params.yaml contradicts itself or names what does not exist."""


class DataError(PipelineError):
    """A data source does not hold what params.yaml says it holds."""


class ArtifactError(PipelineError):
    """A checkpoint, ONNX file, cache or engine is not what its path promises."""


class ParityError(ArtifactError):
    """Two forms of one model answer differently."""


class ForeignArtifacts(ArtifactError):
    """Artifacts were put here that Snakemake did not make."""


class BusyError(PipelineError):
    """Another run works in this folder."""


class ExperimentError(PipelineError):
    """DVC or git cannot do what was asked."""


class BackendError(PipelineError):
    """A backend cannot load or run an artifact."""


class ProviderNotActive(BackendError):
    """ONNX Runtime activated another execution provider than asked."""


class PrecisionNotActive(BackendError):
    """A backend runs in another precision than asked."""


class LibraryError(PipelineError):
    """A library is absent, or present in another version than asked."""


class MachineError(PipelineError):
    """A job runs on another kind of machine than it was planned for."""


class LoadTestError(PipelineError):
    """LoadGen crashed, hung or left no result, or a runner failed under its traffic."""


class StorageError(PipelineError):
    """The disk is full, or a folder cannot be written."""


class NoMemoryError(PipelineError):
    """Memory ran out, of the machine or of a limit that is set."""


class EndedError(PipelineError):
    """A job's process was killed, or crashed."""


class UsageError(PipelineError):
    """A command line that `temper` does not understand."""


class Unavailable(Exception):  # not an error: a fact about this machine, kept in the record
    """This machine lacks what a row needs: recorded as 'not measured' or 'not built' with `reason`."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
