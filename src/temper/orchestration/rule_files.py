"""Rules' files and look-ups: which row of a study reads and writes what. The .smk files name them and know no more."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from temper.artifacts.signature import PREPROCESSOR_FILES
from temper.data.encoded import PREPROCESSOR_FOLDER, split_files
from temper.environment import devices, plugins
from temper.environment.library import resolve_version
from temper.orchestration import kept_versions
from temper.orchestration.job_record import record_path
from temper.study.schema import BackendRow, Study
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


def version_of(kind: str, name: str, asked: str) -> str:
    """The library version a row will run with; a change of it reruns the row."""
    return resolve_version(plugins.load(kind, name).LIBRARY, asked)


def gpus_for(backend: BackendRow) -> list[tuple[str, str]]:
    """The GPUs a backend will run on; another GPU or driver reruns its candidates. CPU backends see none."""
    return devices.gpus_used(backend.gpus, backend.options)


@dataclass(frozen=True)
class RuleFiles:
    """A study's files by row, and rows by the wildcards of a job.

    study: checked.
    kept: what `kept_versions.read_kept_versions` read.
    """

    study: Study
    kept: Mapping[str, Any]

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
