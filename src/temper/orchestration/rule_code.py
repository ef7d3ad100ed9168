"""The code behind a rule's jobs: its script, what it imports, and what params.yaml chose by name (docs/decisions/0004, 0090)."""

from functools import cache
from pathlib import Path

from temper.environment import plugins
from temper.environment.source_digest import source_digest, source_files
from temper.tasks.task import USUAL

# the kind of file that data.labels names, by the module that loads it: it is a job's code where the job's code asks for it
ASKED_BY = {"tasks": "temper/tasks/task.py", "evaluation": "temper/evaluation/evaluation.py"}


@cache
def entries(script: Path, choices: tuple[tuple[str, str], ...], labels: str | None) -> tuple[str | Path, ...]:
    """Where the import graph of a rule's jobs begins.

    Args:
        script: of the rule.
        choices: kind and name of the modules that params.yaml chose.
        labels: the task of the study's data.
    """
    found: list[str | Path] = [script, *(plugins.module_name(kind, name) for kind, name in choices)]
    for kind, asked_by in ASKED_BY.items():
        if any(file.as_posix().endswith(f"/{asked_by}") for file in source_files(*found)):
            found.append(plugins.module_name(kind, labels or USUAL))
    return tuple(found)


def digest_of(script: Path, choices: tuple[tuple[str, str], ...], labels: str | None) -> str:
    """Digest of the code behind a rule's jobs; arguments as of `entries`."""
    return source_digest(*entries(script, choices, labels))
