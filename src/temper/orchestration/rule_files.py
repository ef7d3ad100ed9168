"""Rules' files and look-ups: which row of a study reads and writes what. The .smk files name them and know no more."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from temper.artifacts.signature import PREPROCESSOR_FILES
from temper.data.encoded import PREPROCESSOR_FOLDER, split_files
from temper.environment import plugins
from temper.orchestration import kept_versions, machines
from temper.orchestration.job_record import record_path
from temper.study.schema import BackendRow, Study
from temper.study.sections.machines import resources_of
from temper.study.sections.searches import SEARCH_FILES

SPLITS = ("train", "validation", "test", "calibration")
CALIBRATION_FILES = ("cache.json", "quantized.onnx")
_CHECKPOINT_FILES = ("config.json", "model.safetensors", "checkpoint.json", "training_history.json", "signature.json")
_READ_BY_CONVERSIONS = {"calibration": ("calibration", CALIBRATION_FILES), "search": ("searches", SEARCH_FILES[:1])}


def beside_splits(*names: str) -> list[str]:
    """What a job that reads splits reads with them: their manifests and the signature. No other split, and no data card."""
    return [f"data/prepared/{file}" for file in dict.fromkeys(file for name in names for file in split_files(name)[1:])]


def any_of(rows: Iterable[str]) -> str:
    """A wildcard constraint: one of these names and nothing else."""
    return "|".join(map(re.escape, rows)) or "(?!)"


def plain(row: Any) -> Any:
    """A row as Snakemake keeps it among a job's params: plain dicts and lists."""
    return row.model_dump(mode="json") if hasattr(row, "model_dump") else row


def row_of(wildcards: Any) -> str:
    """The row that a job is for; '' of a rule with one job."""
    return next(iter(map(str, wildcards)), "")


def version_of(kind: str, name: str, asked: str, machine: str = machines.HERE) -> str:
    """The library version a row will run with on a machine; a change of it reruns the row."""
    return machines.version_on(machine, plugins.load(kind, name).LIBRARY, asked)


def gpus_for(backend: BackendRow, machine: str = machines.HERE) -> list[tuple[str, str]]:
    """The GPUs a backend will run on; another GPU or driver reruns its candidates. CPU backends see none."""
    return list(machines.gpus_of(machine, backend.gpus, backend.options))


def without_machine(row: Any) -> dict[str, Any]:
    """A row that is measured, without where: that is the job's param `machine`."""
    return {key: value for key, value in plain(row).items() if key != "machine"}


@dataclass(frozen=True)
class RuleFiles:
    """A study's files by row, and rows by the wildcards of a job.

    study: checked.
    kept: what `kept_versions.read_kept_versions` read.
    data_files: data from outside, which preparing it reads.
    source_checkpoint: the files of a checkpoint from outside: its tokenizer or image processor, too.
    """

    study: Study
    kept: Mapping[str, Any]
    data_files: Sequence[str] = ()
    source_checkpoint: Sequence[str] = ()

    @cached_property
    def preprocessor(self) -> tuple[str, ...]:
        """Names of the tokenizer's or image processor's files, which travel with every artifact."""
        return tuple(PREPROCESSOR_FILES[self.study.model.task])

    @cached_property
    def prepared_preprocessor(self) -> list[str]:
        """The preprocessor's files below data/prepared/."""
        return [f"{PREPROCESSOR_FOLDER}/{file}" for file in self.preprocessor]

    @cached_property
    def prepared(self) -> list[str]:
        """All files that preparing the data writes."""
        splits = dict.fromkeys(file for split in SPLITS for file in split_files(split))
        return [f"data/prepared/{file}" for file in (*splits, "data_card.json", *self.prepared_preprocessor)]

    @cached_property
    def checkpoint(self) -> list[str]:
        """The checkpoint's files."""
        return [f"artifacts/checkpoint/{file}" for file in (*_CHECKPOINT_FILES, *self.preprocessor)]

    @cached_property
    def onnx(self) -> tuple[str, ...]:
        """Names of the files of an ONNX row."""
        data = ("model.onnx.data",) if self.study.onnx_external_data else ()
        return ("model.onnx", "onnx.json", "signature.json", *data, *self.preprocessor)

    @cached_property
    def engine(self) -> tuple[str, ...]:
        """Names of the files of an engine's row."""
        return ("model.engine", "engine.json", "signature.json", *self.preprocessor)

    @cached_property
    def job_records(self) -> list[str]:
        """The record of every job."""
        return [record_path(rule, row) for rule, rows in self.study.jobs.items() for row in rows]

    def artifact_files(self, loads: str) -> list[str]:
        """The files of what a candidate's row `loads`: checkpoint, onnx/<row> or engines/<row>."""
        names = {"onnx": self.onnx, "engines": self.engine}.get(loads.partition("/")[0])
        return self.checkpoint if names is None else [f"artifacts/{loads}/{name}" for name in names]

    def backend_of(self, wildcards: Any) -> BackendRow:
        """The row of `backends:` that a candidate runs on."""
        return self.study.backends[self.study.candidates[wildcards.candidate].backend]

    def load_test_backend(self, wildcards: Any) -> BackendRow:
        """The row of `backends:` that a load test runs on."""
        return self.study.backends[self.study.load_tests[wildcards.load_test]["backend"]]

    def load_test_modules(self, wildcards: Any) -> list[tuple[str, str]]:
        """Kind and name of the modules that a load test's row chooses."""
        through = self.study.load_tests[wildcards.load_test].get("through")
        return [("backends", self.load_test_backend(wildcards).runner), *([("through", through)] if through else [])]

    def precision_folder(self, wildcards: Any, kind: str) -> str | None:
        """Folder of the `calibration` or `search` that a conversion's row names; None where it names none."""
        row = self.study.conversions[wildcards.precision]
        return f"artifacts/{_READ_BY_CONVERSIONS[kind][0]}/{row[kind]}" if kind in row else None

    def precision_files(self, wildcards: Any, kind: str) -> list[str]:
        """The files of it that are read; none where it names none."""
        folder = self.precision_folder(wildcards, kind)
        return [f"{folder}/{file}" for file in _READ_BY_CONVERSIONS[kind][1] if folder]

    def buckets_file(self, wildcards: Any) -> str | None:
        """The limits that an engine's row takes from `buckets:`; None where it gives its shapes itself."""
        row = self.study.engine_rows[wildcards.engine]
        return f"artifacts/buckets/{row.buckets}.json" if hasattr(row, "buckets") else None

    def versions_for(self, rule: str, row: str, *names: str) -> dict[str, str]:
        """Versions of the libraries that a job's bytes depend on; another version makes them anew."""
        return kept_versions.made_with(self.kept, rule, row, *names)

    def machine_for(self, rule: str, row: str) -> str:
        """The row of `machines:` that a job runs on; '' where nothing says one, and any node will do.

        Args:
            rule: of the Snakefile.
            row: of its wildcard.
        """
        candidates = self.study.candidates
        if rule == "measure":
            return candidates[row].machine or ""
        if rule == "load_test":
            return str(self.study.load_tests[row].get("machine") or "")
        if rule == "remeasure":
            return candidates[self.study.places[row][0]].machine or ""
        if rule == "build_engine":  # it is of the GPU that builds it
            return next((each.machine for each in candidates.values() if each.loads == f"engines/{row}"), None) or ""
        return row if rule == "read_machine" else ""

    def machine_files(self, rule: str, row: str) -> list[str]:
        """What was seen on the machine that a job runs on; empty where it has no name."""
        name = self.machine_for(rule, row)
        return [machines.machine_file(name)] if name else []

    def gpus_asked(self, rule: str, row: str) -> int | None:
        """How many GPUs a scheduler is asked for; None where a job needs none."""
        study = self.study
        if rule == "read_machine":
            names = [name for name, each in study.candidates.items() if each.machine == row]
            return max((self.gpus_asked("measure", name) or 0 for name in names), default=0) or None
        if rule == "remeasure":
            return max((self.gpus_asked("measure", name) or 0 for name in study.places[row]), default=0) or None
        if rule == "measure":
            backends = (study.candidates[row].backend, study.baseline.backend)
            return max(study.backends[name].gpus for name in backends) or None
        if rule == "load_test":
            return study.backends[study.load_tests[row]["backend"]].gpus or None
        if rule == "build_engine":
            using = [each for each in study.candidates.values() if each.loads == f"engines/{row}"]
            return max((study.backends[each.backend].gpus for each in using), default=0) or None
        return study.train.get("devices") or 1 if study.train.get("device") == "cuda" else None  # what trains

    def placed(self, rule: str, row: str) -> dict[str, str | int | None]:
        """What a scheduler is asked for a job, in Snakemake's names; None is asked for nowhere.

        Args:
            rule: of the Snakefile.
            row: of its wildcard, '' where it has none.
        """
        name = self.machine_for(rule, row)
        asked: dict[str, str | int | None] = {"gpu": self.gpus_asked(rule, row)}
        if name:
            timed = rule in ("measure", "remeasure", "load_test", "read_machine")
            asked |= resources_of(self.study.machines[name], timed=timed)
        return asked if not asked.get("gres") else {**asked, "gpu": None}

    def resources(self, rule: str) -> list[str]:
        """Names of what any job of a rule is asked for; none in a study on one machine without GPUs."""
        rows = self.study.machines if rule == "read_machine" else self.study.jobs[rule]
        return sorted({key for row in rows for key, value in self.placed(rule, row).items() if value is not None})

    def asked_for(self, rule: str) -> dict[str, Callable[[Any], Any]]:
        """Resources that hang on the row of a job, which no result depends on; what a scheduler is asked for."""

        def asked(key: str) -> Callable[[Any], Any]:
            return lambda wildcards: self.placed(rule, row_of(wildcards)).get(key)

        return {key: asked(key) for key in self.resources(rule)}

    def cores_for(self, rule: str, row: str, otherwise: int) -> int:
        """Processors of a job that times something: those of its machine's row, where that says so."""
        name = self.machine_for(rule, row)
        cores = self.study.machines[name].cores if name else None
        return otherwise if cores is None else cores
