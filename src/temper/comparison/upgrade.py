"""Another version of an engine or inference library in the same study: the plan, the run, both versions side by side."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import canonical_json, write_text
from temper.comparison.both_versions import kept_engines, timings
from temper.comparison.experiments import FOLDER
from temper.comparison.upgrade_page import upgrade_page
from temper.comparison.versions import (
    EngineRow,
    LabelRow,
    Snapshot,
    TimedRow,
    as_markdown,
    engine_rows,
    engines_table,
    label_rows,
    labels_table,
    snapshot,
    timed_rows,
    timed_table,
)
from temper.environment import plugins
from temper.environment.library import Library, folder_of, installed_version, public_version
from temper.errors import ConfigError, ExperimentError
from temper.orchestration.dvc import environment
from temper.orchestration.jobs import snakemake_command
from temper.orchestration.plan import plan
from temper.orchestration.run_lock import check_free
from temper.study.params_file import edited, parse_params
from temper.study.resolve import resolve, spelt_out

PARAMS = "params.yaml"


def with_version(text: str, library: str, version: str) -> str:
    """The text of params.yaml with another version in every row that names the library; comments and order stay.

    Raises:
        ConfigError: no row names it.
    """

    whole = spelt_out(parse_params(text))
    places = [("engines", name) for name, row in whole.get("engines", {}).items() if row["library"] == library]
    places += [("backends", name) for name, row in whole["backends"].items() if row["runner"] == library]

    def change(study: Any) -> None:
        if not places:
            raise ConfigError(
                asked=f"run this study with {library} {version}",
                happened=f"no row of engines or backends names {library}",
                affected="nothing",
                fix=f"name one of {', '.join(sorted({*plugins.names('engines'), *plugins.names('backends')}))}",
            )
        for section, name in places:  # in a study with `defaults` the row may be another's
            part = "bucketed_engines" if name in study.get("bucketed_engines", {}) and section == "engines" else section
            study.setdefault(part, {}).setdefault(name, {})["version"] = version

    return edited(text, change)


def library_of(name: str) -> Library:
    """The library behind a file of temper/engines/ or temper/backends/.

    Raises:
        ConfigError: there is no such file, or it needs no library.
    """
    folder = next((folder for folder in ("engines", "backends") if name in plugins.names(folder)), None)
    library: Library | None = plugins.load(folder, name).LIBRARY if folder else None
    if library is None:
        raise ConfigError(
            asked=f"use another version of {name}",
            happened="it is no engine library and no inference library",
            affected="nothing",
            fix=f"name one of {', '.join(sorted({*plugins.names('engines'), *plugins.names('backends')} - {'null'}))}",
        )
    return library


def _check_present(library: Library, version: str) -> None:
    here = installed_version(library)
    if (here is None or public_version(here) != version) and not folder_of(library, version).is_dir():
        package = library.distributions[0]
        raise ConfigError(
            asked=f"run this study with {library.title} {version}",
            happened=f"this environment holds {here or 'none'}, and {version} is not among its libraries/",
            affected="nothing: params.yaml is as it was",
            fix=f"make library PACKAGE={package} VERSION={version}, then the same command again",
        )


def _notes(labels: Sequence[LabelRow], timed: Sequence[TimedRow], margin: float) -> list[str]:
    """How the tables are read, and what could not be said."""
    reasons = dict.fromkeys((row.candidate, row.reason) for row in labels if row.reason)
    found = [f"{name}: not compared: {reason}" for name, reason in reasons]
    if labels and not timed and all(row.reason for row in labels):
        found.append(
            "Nothing ran these files here: what stands above of builds (layers, precisions, sizes) is all that can be said. "
            "Latency, labels and accuracy need a machine that runs them."
        )
    if timed:
        found.append(
            "× is the new version's latency over the old one's, each in a process of its own, in turns, with its own 95 % "
            f"interval. Faster and slower: shown to be beyond {100 * margin:.0f} %, corrected by Holm for {len(timed)} ratios; "
            "equal: the interval lies within; else they are not told apart."
        )
    if any(row.taken == "apart" for row in timed):
        found.append(
            "Rows without ms were not timed in turns: × is the quotient of both versions' ratios to the baseline."
        )
    if any(row.differs is not None for row in labels):
        found.append(
            "Accuracies are compared on the same rows by McNemar's exact test, corrected by Holm for all candidates."
        )
    return found


def markdown(
    title: str,
    engines: Sequence[EngineRow],
    labels: Sequence[LabelRow],
    timed: Sequence[TimedRow],
    notes: Sequence[str],
) -> str:
    """The tables as a Markdown page."""
    parts = [as_markdown(table) for table in (engines_table(engines), timed_table(timed), labels_table(labels))]
    return "\n".join([f"# {title}", "", *filter(None, parts), *(f"- {note}" for note in notes), ""])


def _run(cores: int) -> int:
    """Run what is stale: through DVC where the study is handed to it, else with Snakemake alone."""
    command = ["dvc", "repro"] if Path("dvc.lock").is_file() else snakemake_command(".", "--cores", str(cores))
    return subprocess.run(command, env=environment(), check=False).returncode


def _put_back(text: str, changed: str) -> None:
    """Put params.yaml back as it was, unless somebody has edited it in the meantime."""
    if Path(PARAMS).read_text(encoding="utf-8") == changed:
        write_text(PARAMS, text)
    else:
        print(f"{PARAMS} was edited in the meantime: it keeps the new version, and the edit")


def _compare(study: Mapping[str, Any], library: str, title: str, before: Snapshot, after: Snapshot, kept: Path) -> None:
    """Compare what both versions made, print it, and write it to artifacts/comparison/."""
    margin = study["analysis"]["latency_margin"]
    engines, labels = engine_rows(before, after), label_rows(before, after)
    found, notes = timings(study, before, after, kept)
    timed = timed_rows(found, margin)
    notes += _notes(labels, timed, margin)
    versions = sorted({row.versions[0] for row in engines} | {row.versions[0] for row in labels})
    if not versions:
        notes.append(
            "Nothing to compare: what was here was made and measured with this version already, or not at all."
        )
    title = title.format(" or ".join(versions) or "nothing")
    page = markdown(title, engines, labels, timed, notes)
    write_text(f"{FOLDER}/upgrade.md", page)
    write_text(f"{FOLDER}/upgrade.html", upgrade_page(title, engines, labels, timed, notes, margin))
    content = {
        "library": library,
        "engines": [asdict(row) for row in engines],
        "candidates": [asdict(row) for row in labels],
        "latency": [asdict(row) for row in timed],
        "notes": notes,
    }
    write_text(f"{FOLDER}/upgrade.json", canonical_json(content))
    print(page)
    print(f"written: {FOLDER}/upgrade.md, .json and .html (a page)")


def upgrade(*, library: str, version: str, only_plan: bool, cores: int) -> int:
    """Show what another version would rerun, run it, and compare both versions' engines and measurements.

    Args:
        library: file of temper/engines/ or temper/backends/.
        version: a number; installed, or put beside the installed one by `make library`.
        only_plan: stop after the plan; params.yaml is then as it was.
        cores: for Snakemake, where DVC is not used.

    Returns:
        Exit code of what ran.

    Raises:
        ConfigError: no row names the library, or that version is not there.
        BusyError: a run works here: it would see another params.yaml.
        ExperimentError: a job failed; params.yaml is then as it was.
    """
    check_free(f"run this study with another version of {library}")
    wanted = library_of(library)
    _check_present(wanted, version)
    text = Path(PARAMS).read_text(encoding="utf-8")
    changed = with_version(text, library, version)
    study = resolve(parse_params(changed))
    before = snapshot(study, library)
    write_text(PARAMS, changed)
    done = False
    try:
        code = plan()
        if only_plan or code != 0:
            return code
        with kept_engines(study, library) as kept:
            code = _run(cores)
            if code != 0:
                raise ExperimentError(
                    asked=f"run this study with {wanted.title} {version}",
                    happened=f"a job failed (exit code {code}); its own message is above",
                    affected="nothing of the version before: its numbers are put back into params.yaml",
                    fix="correct what the job names, then the same command again",
                )
            done = True
            _compare(study, library, f"{wanted.title} {{}} → {version}", before, snapshot(study, library), kept)
    finally:
        if not done:
            _put_back(text, changed)
    return 0
