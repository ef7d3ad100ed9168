"""The jobs of a study with their params, inputs and outputs, asked of Snakemake itself.

Nothing else knows what a job depends on: DVC's settings.json, `temper sync` and the tests that hold dvc.yaml against the
Snakefile all read it here. Snakemake's interface for Python has no call for it, so its DAG is built through two methods
that are not public; the pinned version and tests/workflow/test_dvc.py hold their form.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.environment.own_process import python_command
from temper.errors import ConfigError, PipelineError
from temper.orchestration.job_record import plain_settings
from temper.orchestration.machines import counted
from temper.orchestration.origin import UNCHECKED
from temper.orchestration.run_lock import check_free
from temper.reading.typed import temper_command

_SNAKEMAKE = "temper.orchestration.quiet_snakemake"  # a process of its own: nothing of it is this module's
NO_ARTIFACT = ("all", "read_machine")  # rules without an artifact and a record: the target, what is seen on machines


@dataclass(frozen=True)
class Job:
    """One job of the study, whether or not it has to run."""

    rule: str
    row: str
    settings: dict[str, Any]  # its params, as the job record stores them
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    needs: tuple[tuple[str, str], ...]  # rule and row of the jobs that make its inputs

    @property
    def name(self) -> str:
        """'calibrate main', or 'report'."""
        return f"{self.rule} {self.row}".strip()


def checkout_of(folder: str | Path = ".") -> Path:
    """The checkout whose Snakefile serves a folder: the nearest one above it, else the one this package lies in.

    An experiment runs in a temporary checkout of its own, and must run that one's code.
    """
    start = Path(folder).resolve()
    for place in (start, *start.parents):
        if (place / "Snakefile").is_file() and (place / "src/temper").is_dir():
            return place
    return Path(__file__).resolve().parents[3]


def run_command() -> str:
    """What runs the study of the working directory, as a person types it from where they stand."""
    return temper_command("run")


@contextlib.contextmanager
def _standing_in(folder: Path) -> Iterator[None]:
    before, unchecked = Path.cwd(), os.environ.get(UNCHECKED)
    os.chdir(folder)
    os.environ[UNCHECKED] = "1"
    try:
        yield
    finally:
        os.chdir(before)
        if unchecked is None:
            del os.environ[UNCHECKED]


def planned_jobs(folder: str | Path = ".") -> list[Job]:
    """All jobs of the study in `folder`, each after those it needs.

    Raises:
        ConfigError: the study cannot be planned; what Snakemake said is in it.
        BusyError: it cannot because another run works in that folder.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

    said = io.StringIO()
    try:
        with (
            _standing_in(Path(folder)),
            contextlib.redirect_stderr(said),
            SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, stdout=False)) as api,
        ):
            workflow_api = api.workflow(
                resource_settings=ResourceSettings(cores=1), snakefile=checkout_of(folder) / "Snakefile"
            )
            dag_api = workflow_api.dag(DAGSettings(targets={"all"}, forceall=True))
            workflow = dag_api.workflow_api._workflow
            workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True)
            workflow._build_dag()
            return [
                job_of(workflow.dag, job)
                for level in workflow.dag.toposorted()
                for job in level
                if job.rule.name not in NO_ARTIFACT
            ]
    except Exception as error:
        with _standing_in(Path(folder)):
            check_free(f"plan the study in {folder}")  # what it was refused for, in its own words
        known = _own(error)
        if known is not None:  # its parts, not the four of them squeezed into one
            raise ConfigError(
                asked=f"plan the study in {folder}", happened=known.happened, affected=known.affected, fix=known.fix
            ) from None
        raise ConfigError(
            asked=f"plan the study in {folder}",
            happened=_cause(error) or said.getvalue().strip()[-600:],
            affected="nothing: no job was started",
            fix="correct params.yaml; temper plan shows the same error",
        ) from None


def _own(error: BaseException | None) -> PipelineError | None:
    """The error of this package that Snakemake wrapped in one of its own; None where there is none."""
    for _ in range(5):
        if error is None or isinstance(error, PipelineError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _cause(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:900]


def _key(job: Any) -> tuple[str, str]:
    return str(job.rule.name), next(iter(map(str, job.wildcards)), "")


def job_of(dag: Any, job: Any) -> Job:
    """A job of Snakemake's DAG."""
    rule, row = _key(job)
    needs = sorted({_key(needed) for needed in dag.dependencies[job] if needed.rule.name not in NO_ARTIFACT})
    return Job(
        rule=rule,
        row=row,
        settings=plain_settings(dict(job.params.items())),
        inputs=tuple(counted(job.input)),
        outputs=tuple(str(path) for path in job.output),
        needs=tuple(needs),
    )


def snakemake_command(folder: str | Path, *arguments: str) -> list[str]:
    """Command line of Snakemake for the study in `folder`, with the code of the checkout that it belongs to."""
    return python_command("-m", _SNAKEMAKE, *snakemake_options(folder), *arguments)


def snakemake_options(folder: str | Path) -> list[str]:
    """Which Snakefile, which folder, and the checkout's own profile: one in a study's folder could run anything."""
    checkout = checkout_of(folder)
    return [
        *("--snakefile", str(checkout / "Snakefile"), "--directory", str(folder)),
        *("--workflow-profile", str(checkout / "profiles/default")),
    ]
