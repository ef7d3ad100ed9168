"""Where a candidate came from: how its engine was built, which commands rebuild and measure it, versions and digests."""

from typing import Any

from temper.measurement.record import Record
from temper.report.formats import ABSENT
from temper.report.page.formats import figure
from temper.report.page.material import Json


def engine_facts(manifest: Json | None) -> Json | None:
    """What an engine's manifest says of how it was built; None where there is none."""
    if manifest is None:
        return None
    profiles = [
        tuple(" × ".join(map(str, profile[f"{which}_shape"])) for which in ("min", "opt", "max"))
        for profile in manifest.get("profiles", [])
        if isinstance(profile, dict) and "min_shape" in profile
    ]
    facts = [
        ("built by", f"{manifest.get('library')} {manifest.get('library_version')}"),
        ("took", f"{figure(manifest['build_seconds'])} s" if manifest.get("build_seconds") else ABSENT),
        (
            "layers",
            ", ".join(f"{number} {name}" for name, number in (manifest.get("layers_by_precision") or {}).items()),
        ),
        ("precisions confirmed", str(manifest.get("confirmation", ABSENT))),
    ]
    return {"profiles": profiles, "facts": facts}


def commands(record: Record, engine: Json | None) -> list[tuple[str, str]]:
    """What makes its artifact anew, and what measures it again."""
    kind, _, row = record.artifact.loads.partition("/") if record.artifact else ("", "", "")
    file = {"checkpoint": "artifacts/checkpoint/model.safetensors", "onnx": f"artifacts/onnx/{row}/model.onnx"}
    made = file.get(kind, f"artifacts/engines/{row}/model.engine")
    found = [
        ("its artifact anew", f"snakemake --cores 1 --force {made}"),
        ("measure it again", f"snakemake --cores 1 --force artifacts/measurements/{record.candidate}.json"),
        ("answers from it", f"temper predict --candidate {record.candidate} 'a text'"),
    ]
    by_hand: Json = (engine or {}).get("equivalent_commands") or {}
    return found + [(f"with {tool} alone", str(command)) for tool, command in by_hand.items() if command]


def provenance(record: Record) -> list[tuple[str, str]]:
    """Backend, options, versions, seed, digests of code and files, and what made its artifact, as label and text."""
    artifact = record.artifact
    options = ", ".join(
        f"{key} {_plain(value)}" for key, value in sorted((record.backend.get("options") or {}).items())
    )
    found = [
        (
            "backend",
            f"{record.backend['name']} (runner {record.backend['runner']}, {record.backend.get('library_version')})",
        ),
        ("options", options or ABSENT),
        ("versions", ", ".join(f"{name} {version}" for name, version in sorted(record.versions.items()))),
        ("seed", str(record.seed)),
        ("code", record.source_digest),
    ]
    if artifact:
        found += [(f"SHA-256 of {name}", digest) for name, digest in sorted(artifact.files_sha256.items())]
        producer = ", ".join(f"{name} {version}" for name, version in sorted(artifact.producer.items()))
        found.append(("made with", producer or ABSENT))
    return found


def _plain(value: Any) -> str:
    return "yes" if value is True else "no" if value is False else "none" if value is None else str(value)
