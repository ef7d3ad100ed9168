"""The files and the facts of a package, before any form is given to them."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import artifact_digest
from temper.artifacts.signature import Signature, read_signature
from temper.data.encoded import Split, read_split
from temper.measurement.record import Accuracy, Workload
from temper.package.parts import calls_of, copy_model, libraries_of, runner_of
from temper.package.requirements import pinned
from temper.package.runtime_at import BESIDE, Runtime
from temper.package.select import Selected
from temper.prediction.answer import DATA_FOLDER
from temper.prediction.preprocessing import Preprocessing
from temper.report.finished import Finished

SERVING = ("starlette", "uvicorn", "prometheus-client", "httptools", "uvloop")


@dataclass(frozen=True, eq=False)
class Source:
    """What a package is made from, all of it checked.

    Attributes:
        finished: the study's report.
        selected: the candidate and its verdict.
        runtime: the library it runs on.
        files: SHA-256 of the artifact's files, by name.
        how: the study's preprocessing.
    """

    finished: Finished
    selected: Selected
    runtime: Runtime
    files: Mapping[str, str]
    how: Preprocessing

    @property
    def texts_per_row(self) -> int:
        """1, 2 for pairs, 0 for images."""
        if self.how.max_tokens is None:
            return 0
        return len(self.finished.params["data"].get("text") or [""])

    @property
    def encoder_library(self) -> str:
        """The distribution that makes the model's inputs."""
        return "pillow" if self.how.max_tokens is None else "tokenizers"

    @property
    def artifact(self) -> Path:
        """The artifact's folder, from the study's."""
        loaded = self.selected.choice.record.artifact
        assert loaded is not None
        return Path("artifacts", loaded.loads)

    @property
    def signature(self) -> Signature:
        """Of the artifact: of packed rows where it takes them."""
        return read_signature(self.artifact / "signature.json")

    @property
    def accuracy(self) -> Accuracy | None:
        """The record's answers; None where they were not measured."""
        own = self.selected.choice.record.accuracy
        return own if isinstance(own, Accuracy) else None

    def test_rows(self) -> Split:
        """The rows that its accuracy was measured on."""
        return read_split(Path(DATA_FOLDER) / "test.parquet", self.how.signature)


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _measured(source: Source) -> dict[str, Any]:
    finished, name = source.finished, source.selected.choice.candidate
    compared, record = finished.comparison.candidates[name].as_json(), source.selected.choice.record
    workloads: dict[str, Any] = {}
    for workload, cell in compared["workloads"].items():
        own = record.workloads[workload]
        if not isinstance(own, Workload):
            workloads[workload] = dict(cell)
            continue
        ordered = sorted(own.latencies_ms)
        workloads[workload] = {
            "status": "measured",
            "batch_size": own.batch_size,
            "sequence_length": own.sequence_length,
            "real_lengths": own.real_lengths,
            "latency_p50_ms": ordered[(len(ordered) - 1) // 2],
            "latency_percentiles_ms": own.latency_percentiles_ms,
            **{key: cell[key] for key in ("ratio", "low", "high", "verdict", "holds", "why_not") if key in cell},
            "throughput_samples_per_s": cell["throughput_samples_per_s"],
            "throughput_callers": cell["throughput_callers"],
            "throughput_by_callers": own.throughput_samples_per_s,
        }
    accuracy = {key: value for key, value in compared["accuracy"].items() if key != "against_baseline"}
    paired = compared["accuracy"].get("against_baseline")
    if paired is not None:
        accuracy["against_baseline"] = {key: value for key, value in paired.items() if key != "flipped"}
    return {
        "baseline": finished.comparison.baseline,
        "accuracy_budget_points": finished.comparison.analysis["accuracy_budget_points"],
        "accuracy": accuracy,
        "workloads": workloads,
        "peak_rss_mib": record.memory.peak_rss_running_mib if record.memory else None,
        "precision": source.selected.choice.precision,
    }


def _reason(sentence: str) -> str:
    """Of 'its latency is disturbed: why' what tells it from the same said of a workload."""
    return sentence.partition(": ")[2] or sentence


def facts_of(source: Source) -> dict[str, Any]:
    """What manifest.json says beside the files: the model, its calls, its figures, its verdict and where it is from."""
    choice, runtime = source.selected.choice, source.runtime
    record, status = choice.record, _git("status", "--porcelain", "--", ".")
    assert record.artifact is not None
    accuracy = source.accuracy
    return {
        "candidate": choice.candidate,
        "workload": choice.workload,
        "task": source.how.signature.task,
        "labels": list(source.how.signature.label_names),
        **({} if source.signature.labels is None else {"answers": source.signature.labels}),
        "artifact": {
            "loads": record.artifact.loads,
            "digest": artifact_digest(dict(source.files)),
            "files_sha256": dict(source.files),
        },
        "runner": runner_of(runtime, source.artifact),
        "libraries": libraries_of(runtime, source.encoder_library),
        "calls": calls_of(
            source.how,
            runtime,
            texts_per_row=source.texts_per_row,
            batch_size=accuracy.answers.batch_size if accuracy else int(record.measurement["accuracy_batch_size"]),
        ),
        "measured": _measured(source),
        "verdict": {
            "chosen_by_the_decision": source.selected.chosen,
            "why": choice.why,
            "accuracy": source.selected.accuracy,
            "accuracy_in_words": choice.accuracy,
            "latency": source.selected.latency,
            "against": list(source.selected.against),
            "notes": [note for note in choice.notes if _reason(note) not in map(_reason, source.selected.against)],
        },
        "study": {
            "name": source.finished.comparison.study,
            "commit": _git("rev-parse", "HEAD"),
            "changed": bool(status),
            "seed": record.seed,
            "machine": record.machine,
            "device": (record.ran or {}).get("device"),
            "source_digest": record.source_digest,
            "versions": record.versions,
        },
    }


def copy_contents(source: Source, target: Path) -> None:
    """Put model, preprocessing, labels, requirements and the runtime into a folder that is there."""
    copy_model(source.artifact, source.files, source.how, target)
    (target / "labels.txt").write_text("".join(f"{name}\n" for name in source.how.signature.label_names), "utf-8")
    beside = BESIDE.get(source.runtime.runner, ())
    needed = pinned(["numpy", source.encoder_library, source.runtime.distribution, *beside])
    (target / "requirements.txt").write_text("".join(f"{line}\n" for line in needed), "utf-8")
    served = [line for line in pinned(SERVING) if line not in needed]
    (target / "requirements-serve.txt").write_text(
        "-r requirements.txt\n" + "".join(f"{line}\n" for line in served), "utf-8"
    )
