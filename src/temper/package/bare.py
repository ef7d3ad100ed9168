"""A package of an artifact before any report: no verdict, no figures, no card. Load tests serve it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import MANIFESTS, artifact_digest, read_manifest, write_manifest
from temper.artifacts.signature import Signature
from temper.package.parts import calls_of, copy_model, libraries_of, runner_of
from temper.package.runtime.manifest import KIND
from temper.package.runtime.manifest import NAME as MANIFEST
from temper.package.runtime_at import runtime_at
from temper.prediction.preprocessing import Preprocessing

NAME = "load-test"  # of the model, for a server


@dataclass(frozen=True)
class Material:
    """What is served.

    Attributes:
        loads, artifact: of the load test's row, and the folder of it.
        backend: the row of `backends:`, with its name.
        library_version: of the backend's library.
        data_folder: prepared data, whose preprocessing texts go through.
        max_tokens: longest row.
        texts_per_row: 1, or 2 for pairs.
        sizes: rows of the calls that were timed, ascending.
        rows, tokens: that one call of the model may have.
        waiting: rows that may wait.
        timeout_s: until a request is answered.
    """

    loads: str
    artifact: Path
    backend: Mapping[str, Any]
    library_version: str
    data_folder: Path
    max_tokens: int
    texts_per_row: int
    sizes: Sequence[int]
    rows: int
    tokens: int
    waiting: int
    timeout_s: float


def write_bare(folder: Path, material: Material) -> None:
    """Write it.

    Args:
        folder: that is there and empty.
        material: what is packaged.

    Raises:
        ArtifactError: a file is not what its manifest says.
        LibraryError: another version of the backend's library is installed.
    """
    kind, data = material.loads.partition("/")[0], material.data_folder
    manifest = read_manifest(material.artifact / MANIFESTS[kind], kind={"engines": "engine"}.get(kind, kind))
    files = {name: str(facts["sha256"]) for name, facts in manifest["files"].items()}
    signature = Signature.model_validate_json((data / "signature.json").read_text(encoding="utf-8"))
    how = Preprocessing(signature, material.artifact, material.max_tokens)
    runtime = runtime_at(
        material.backend, material.library_version, material.sizes, asked=f"package {material.loads} for a load test"
    )
    copy_model(material.artifact, files, how, folder)
    facts = {
        "candidate": f"{material.loads} on {material.backend['name']}",
        "task": signature.task,
        "labels": list(signature.label_names),
        **({} if signature.labels is None else {"answers": signature.labels}),
        "artifact": {"loads": material.loads, "digest": artifact_digest(files), "files_sha256": files},
        "runner": runner_of(runtime, material.artifact),
        "libraries": libraries_of(runtime, "tokenizers"),
        "calls": calls_of(how, runtime, texts_per_row=material.texts_per_row, batch_size=max(material.sizes)),
        "measured": {"workloads": {}},
        "study": {"name": NAME},
    }
    write_manifest(folder / MANIFEST, kind=KIND, facts=facts)
