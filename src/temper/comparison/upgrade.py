"""Another version of an engine or inference library in the same study: the plan, the run, both versions side by side."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from temper import plugins
from temper.artifact import canonical_json, write_text
from temper.comparison.experiments import FOLDER
from temper.errors import ConfigError, ExperimentError
from temper.library import Library, folder_of, installed_version, public_version
from temper.measurement.record import Accuracy, NotMeasured, Record, Workload, read_record
from temper.params_file import edited
from temper.plan import plan
from temper.report.tables import median_ms
from temper.tracking.dvc import environment
from temper.tracking.holder import check_free
from temper.tracking.jobs import snakemake_command

PARAMS = "params.yaml"


@dataclass(frozen=True)
class EngineRow:
    """One engine, built by two versions. Sizes in MiB, build times in seconds."""

    engine: str
    versions: tuple[str, str]
    layers_by_precision: tuple[dict[str, int], dict[str, int]]
    size_mib: tuple[float, float]
    build_s: tuple[float | None, float | None]


@dataclass(frozen=True)
class CandidateRow:
    """One candidate on both versions; None where it was not measured, and then `reason` says why."""

    candidate: str
    versions: tuple[str, str]
    workload: str
    latency_p50_ms: tuple[float | None, float | None]
    accuracy: tuple[float | None, float | None]  # 0–1, test split
    labels_differing: int | None  # between the two versions
    reason: str | None


@dataclass(frozen=True)
class Snapshot:
    """What two versions are compared by, read from the artifacts while they are there."""

    engines: Mapping[str, Mapping[str, Any]]
    records: Mapping[str, Record]


def snapshot(study: Mapping[str, Any], library: str) -> Snapshot:
    """Engine manifests and records of the rows that use `library`; those that are not there are left out."""
    engines = {
        name: Path(f"artifacts/engines/{name}/engine.json")
        for name, row in {**study["engines"], **study["bucketed_engines"]}.items()
        if row["library"] == library
    }
    candidates = [
        name for name, row in study["candidates"].items() if study["backends"][row["backend"]]["runner"] == library
    ]
    records = {name: Path(f"artifacts/measurements/{name}.json") for name in candidates}
    return Snapshot(
        {name: json.loads(path.read_text(encoding="utf-8")) for name, path in engines.items() if path.is_file()},
        {name: read_record(path) for name, path in records.items() if path.is_file()},
    )


def with_version(text: str, library: str, version: str) -> str:
    """The text of params.yaml with another version in every row that names the library; comments and order stay.

    Raises:
        ConfigError: no row names it.
    """

    def change(study: Any) -> None:
        built = (*study["engines"].values(), *study["bucketed_engines"].values())
        rows = [row for row in built if row["library"] == library]
        rows += [row for row in study["backends"].values() if row["runner"] == library]
        if not rows:
            raise ConfigError(
                asked=f"run this study with {library} {version}",
                happened=f"no row of engines or backends names {library}",
                spoiled="nothing",
                fix=f"name one of {', '.join(sorted({*plugins.names('engines'), *plugins.names('backends')}))}",
            )
        for row in rows:
            row["version"] = version

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
            spoiled="nothing",
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
            spoiled="nothing: params.yaml is as it was",
            fix=f"make library PACKAGE={package} VERSION={version}, then the same command again",
        )


def _mib(manifest: Mapping[str, Any]) -> float:
    return round(float(manifest.get("size_bytes", 0)) / 1024**2, 2)


def engine_rows(before: Snapshot, after: Snapshot) -> list[EngineRow]:
    """Every engine that both versions built."""
    return [
        EngineRow(
            engine=name,
            versions=(
                old.get("library_version", old["version_asked"]),
                new.get("library_version", new["version_asked"]),
            ),
            layers_by_precision=(old.get("layers_by_precision", {}), new.get("layers_by_precision", {})),
            size_mib=(_mib(old), _mib(new)),
            build_s=(old.get("build_seconds"), new.get("build_seconds")),
        )
        for name, new in after.engines.items()
        if (old := before.engines.get(name)) is not None
    ]


def _median(record: Record, workload: str) -> float | None:
    timed = record.workloads.get(workload)
    return median_ms(timed) if isinstance(timed, Workload) else None


def _reason(record: Record, workload: str) -> str | None:
    """Why a workload was not measured, alone or with the whole candidate; None where it was."""
    found = record.workloads.get(workload)
    return found.reason if isinstance(found, NotMeasured) else record.reason


def candidate_rows(before: Snapshot, after: Snapshot) -> list[CandidateRow]:
    """Every candidate and workload that both versions have a record of."""
    found = []
    for name, new in after.records.items():
        old = before.records.get(name)
        if old is None:
            continue
        pair = [record.accuracy if isinstance(record.accuracy, Accuracy) else None for record in (old, new)]
        differing = None
        if pair[0] is not None and pair[1] is not None and pair[0].labels == pair[1].labels:
            differing = sum(
                a != b for a, b in zip(pair[0].answers.predictions, pair[1].answers.predictions, strict=True)
            )
        for workload in new.workloads:
            found.append(
                CandidateRow(
                    candidate=name,
                    versions=(old.backend["library_version"], new.backend["library_version"]),
                    workload=workload,
                    latency_p50_ms=(_median(old, workload), _median(new, workload)),
                    accuracy=(
                        pair[0].answers.accuracy if pair[0] else None,
                        pair[1].answers.accuracy if pair[1] else None,
                    ),
                    labels_differing=differing,
                    reason=_reason(new, workload) or _reason(old, workload),
                )
            )
    return found


def _pair(values: Sequence[Any], form: str) -> str:
    return " → ".join("–" if value is None else format(value, form) for value in values)


def markdown(title: str, engines: Sequence[EngineRow], candidates: Sequence[CandidateRow]) -> str:
    """Both tables as a Markdown page."""
    page = [f"# {title}", ""]
    if engines:
        page += ["| engine | version | layers by precision | size MiB | build s |", "| --- | --- | --- | ---: | ---: |"]
        for engine in engines:
            layers = " → ".join(
                ", ".join(f"{n} {p}" for p, n in sorted(side.items())) or "–" for side in engine.layers_by_precision
            )
            cells = (
                engine.engine,
                " → ".join(engine.versions),
                layers,
                _pair(engine.size_mib, ".2f"),
                _pair(engine.build_s, ".2f"),
            )
            page.append("| " + " | ".join(cells) + " |")
        page.append("")
    if candidates:
        page += [
            "| candidate | workload | version | p50 ms | accuracy % | labels that differ |",
            "| --- | --- | --- | ---: | ---: | ---: |",
        ]
        for row in candidates:
            accuracies = [None if value is None else 100 * value for value in row.accuracy]
            line = [row.candidate, row.workload, " → ".join(row.versions), _pair(row.latency_p50_ms, ".3f")]
            line += [_pair(accuracies, ".2f"), "–" if row.labels_differing is None else str(row.labels_differing)]
            page.append("| " + " | ".join(line) + " |")
        reasons = dict.fromkeys((row.candidate, row.reason) for row in candidates if row.reason)
        page += ["", *(f"- {name}: not measured: {reason}" for name, reason in reasons), ""]
    return "\n".join(page)


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
    import yaml

    check_free(f"run this study with another version of {library}")
    wanted = library_of(library)
    _check_present(wanted, version)
    text = Path(PARAMS).read_text(encoding="utf-8")
    changed = with_version(text, library, version)
    before = snapshot(yaml.safe_load(text), library)
    write_text(PARAMS, changed)
    done = False
    try:
        code = plan()
        if only_plan or code != 0:
            return code
        code = _run(cores)
        if code != 0:
            raise ExperimentError(
                asked=f"run this study with {wanted.title} {version}",
                happened=f"a job failed (exit code {code}); its own message is above",
                spoiled="nothing of the version before: its numbers are put back into params.yaml",
                fix="correct what the job names, then the same command again",
            )
        done = True
    finally:
        if not done:
            _put_back(text, changed)
    after = snapshot(yaml.safe_load(changed), library)
    engines, candidates = engine_rows(before, after), candidate_rows(before, after)
    before_it = (
        " or ".join(sorted({*(row.versions[0] for row in engines), *(row.versions[0] for row in candidates)}))
        or "nothing"
    )
    page = markdown(f"{wanted.title} {before_it} → {version}", engines, candidates)
    write_text(f"{FOLDER}/upgrade.md", page)
    content = {
        "library": library,
        "engines": [asdict(row) for row in engines],
        "candidates": [asdict(row) for row in candidates],
    }
    write_text(f"{FOLDER}/upgrade.json", canonical_json(content))
    print(page)
    print(f"written: {FOLDER}/upgrade.md and .json")
    return 0
