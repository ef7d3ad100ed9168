"""`temper run`: a study by Snakemake, and what came out of it: what `make reproduce` and `make study` call."""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from temper.cli.command import Cores, Directory
from temper.cli.study_folder import check_study_folder
from temper.errors import ConfigError
from temper.reading.typed import typed_study

EXAMPLES = (
    "temper run -C studies/mine --cores 4",
    "temper run -C studies/mine --again ort-int8",
    "temper run studies/one studies/two --profile profiles/slurm",
)
LOOK = "read_machine"  # the rule that writes what is seen on a machine; it has no record
MEASURING = ("measure", "load_test")  # what an entry's name means where it names jobs of several rules


def run_study(
    studies: Annotated[
        list[str] | None,
        Argument(metavar="STUDY", help="Folders of studies, or a pattern: all in one run.", show_default=False),
    ] = None,
    directory: Directory = ".",
    cores: Cores = "1",
    again: Annotated[
        list[str] | None,
        Option(
            metavar="NAME...",
            help="Run again although nothing changed: an entry of candidates, load_tests or machines, or a rule (remeasure).",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        Option(
            metavar="DIR", help="Snakemake's profile of a cluster: profiles/slurm, or your own (default: this machine)."
        ),
    ] = None,
) -> int:
    """Run the jobs of one study, or of several; then print what was chosen.

    Several studies are run one after the other on this machine; with a profile, those that share no work are side by side. What
    one has made is taken by the others where code, settings and inputs are the same.
    """
    check_options(cores, profile)
    if profile is not None:
        _find_executors(Path(profile).resolve())
    if studies:
        return _run_several(studies, cores, again, profile)
    return _run_one(directory, cores, again, profile)


def check_options(cores: str, profile: str | None) -> None:
    """Refuse what Snakemake would refuse in its own words, or in none.

    Raises:
        ConfigError: the cores are no number, or the profile is no folder of one.
    """
    if cores != "all" and not (cores.isdecimal() and int(cores) > 0):
        raise ConfigError(
            asked=f"run with --cores {cores}",
            happened=f"{cores!r} is neither a number above 0 nor 'all'",
            affected="nothing: no job was started",
            fix="--cores all, or a number such as --cores 2",
        )
    if profile is not None and not any(Path(profile).glob("config*.yaml")):
        raise ConfigError(
            asked=f"run with --profile {profile}",
            happened=f"there is no {Path(profile) / 'config.yaml'}",
            affected="nothing: no job was started",
            fix="name the folder that holds it: --profile profiles/slurm, or a copy of it",
        )


def _find_executors(profile: Path) -> None:
    """Let this process, and those that it starts, find an executor of Snakemake that lies in the profile's folder.

    Raises:
        ConfigError: what it stands on is not installed.
    """
    for package in profile.glob("snakemake_executor_plugin_*/__init__.py"):
        sys.path.append(str(profile))
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(profile)]))
        try:
            importlib.import_module(package.parent.name)
        except ModuleNotFoundError as error:
            raise _refused(str(profile), str(error)) from None


def _refused(profile: str | None, happened: str) -> ConfigError:
    """What Snakemake does not take, in its words."""
    return ConfigError(
        asked="run a study" + (f" with --profile {profile}" if profile else ""),
        happened=happened,
        affected="nothing: no job was started",
        fix="install what the profile's executor needs: requirements/slurm.txt or requirements/kubernetes.txt; of a profile of "
        "Temper's, copy the whole folder",
    )


def _run_several(studies: Sequence[str], cores: str, again: list[str] | None, profile: str | None) -> int:
    """Run several studies, then print what each chose; 1 where one of them failed."""
    from temper.comparison.studies import print_studies
    from temper.orchestration.running_jobs import interrupts
    from temper.orchestration.together import folders_of, run_together

    folders = folders_of(studies)
    if again and len(folders) > 1:
        raise ConfigError(
            asked=f"run {', '.join(again)} of {len(folders)} studies again",
            happened="an entry is one study's",
            affected="nothing: no job was started",
            fix=f"temper run -C {studies[0]} --again {' '.join(again)}",
        )
    if len(folders) == 1:
        with typed_study(os.path.relpath(folders[0])):
            return _run_one(str(folders[0]), cores, again, profile)
    options = ["--cores", cores] if profile is None else ["--profile", str(Path(profile).resolve())]
    with interrupts():
        ran = run_together(folders, options, scheduled=profile is not None, say=lambda line: print(line, flush=True))
    print(flush=True)
    print_studies(folders)
    failed = [each.folder.name for each in ran if each.code != 0]
    if failed:
        print(f"{len(failed)} of {len(ran)} studies failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def _run_one(directory: str, cores: str, again: list[str] | None, profile: str | None) -> int:
    """Run a study's jobs with a line for each as it works (temper/logs/job_lines.py), then print the choice and the table.

    Snakemake runs in this process: a run with nothing to do is over in the time that Snakemake takes to find that out.
    """
    from temper.orchestration.jobs import snakemake_options
    from temper.orchestration.quiet_snakemake import INTERRUPTED, run_here
    from temper.report.terminal import print_summaries

    folder = Path(directory).resolve()
    check_study_folder(directory, f"run the study in {directory}")
    told = ["--forcerun", *_forced(folder, again)] if again else []
    where = ["--cores", cores] if profile is None else ["--profile", str(Path(profile).resolve())]
    try:
        code = run_here([*snakemake_options(folder), *where, "--logger", "temper", *told])
    except SystemExit as refused:
        raise _refused(profile, str(refused.code)) from None
    if code == INTERRUPTED:
        raise KeyboardInterrupt  # Snakemake has ended its jobs, and takes it for a failure
    if code == 0:
        print(flush=True)
        print_summaries(folder)
    return code


def _forced(folder: Path, names: Sequence[str]) -> list[str]:
    """What Snakemake is told to make again: rules, and the job records of entries."""
    from temper.study.params_file import load_params
    from temper.study.study import read_study

    study = read_study(load_params(folder / "params.yaml") or {})
    return forced({**study.jobs, LOOK: tuple(study.machines)}, names)


def forced(jobs: Mapping[str, Sequence[str]], names: Sequence[str]) -> list[str]:
    """What Snakemake is told to make again.

    Args:
        jobs: rule to entries.
        names: of rules, or of entries of params.yaml. An entry that several rules have a job for is measured again where it
            is measured at all.

    Returns:
        Rules, and paths of job records; of an entry of machines the file of what was seen there.

    Raises:
        ConfigError: there is no rule and no entry of that name.
    """
    from temper.orchestration.job_record import record_path
    from temper.orchestration.machines import machine_file

    found: list[str] = []
    for name in names:
        if name in jobs.get(LOOK, ()):  # what is measured there follows where that changes something
            found.append(machine_file(name))
            continue
        if name in jobs:
            found.append(name)
            continue
        rules = [rule for rule, entries in jobs.items() if name in entries and name]
        if not rules:
            entries = [each for rule in MEASURING for each in jobs.get(rule, ())]
            raise ConfigError(
                asked=f"run again what is called {name}",
                happened="this study has no rule and no entry of that name",
                affected="nothing: no job was started",
                fix=f"name an entry ({', '.join(entries)}), or a rule ({', '.join(jobs)})",
            )
        measured = [rule for rule in rules if rule in MEASURING]
        found += [record_path(rule, name) for rule in measured or rules]
    return found
