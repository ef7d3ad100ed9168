"""Build one row of `engines:`: an ONNX folder in, an engine folder out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper.artifacts.census import census
from temper.artifacts.claims import check_engine
from temper.artifacts.manifest import copy_files, read_manifest, staged_folder, write_manifest
from temper.artifacts.signature import PREPROCESSOR_FILES, read_signature
from temper.engines.engine import BuiltEngine, Inspection
from temper.engines.layers import count_by_precision
from temper.engines.profile import Profiles
from temper.environment import plugins
from temper.environment.devices import nvidia_gpus
from temper.errors import Unavailable
from temper.lengths.buckets.record import shapes_of


def build_engine(
    *,
    onnx_folder: str | Path,
    engine_folder: str | Path,
    row: Mapping[str, Any],
    name: str,
    buckets_file: str | Path | None = None,
) -> None:
    """Build an engine and write it with its manifest, engine.json.

    Where the library cannot be installed on this platform, model.engine is empty and engine.json says 'not built' and
    why, so that the rows that load it are reported as not measured.

    Args:
        onnx_folder: holds onnx.json, model.onnx, signature.json and the preprocessor's files.
        engine_folder: receives model.engine, engine.json, signature.json and the preprocessor's files.
        row: library, version, onnx, and static_shapes, or min_shape, opt_shape and max_shape, or buckets.
        name: the row's name, for the log.
        buckets_file: of the row's buckets; None where it names none.

    Raises:
        ArtifactError: the ONNX folder is not what its manifest says.
        ConfigError: the shapes do not fit the model.
        LibraryError: the library is not installed in the version asked for.
        BackendError: no engine can be built from the file.
        PrecisionNotActive: its products are quantized, and the engine's layers are not.
    """
    onnx_folder = Path(onnx_folder)
    manifest = read_manifest(onnx_folder / "onnx.json", kind="onnx")
    signature = read_signature(onnx_folder / "signature.json")
    shapes = shapes_of(row, buckets_file)
    profiles = Profiles.static(shapes) if shapes else Profiles.from_row(row)
    profiles.limits(signature.dynamic_axes)  # raises where the model has other axes, also where nothing is built
    library = plugins.load("engines", row["library"])
    facts: dict[str, Any] = {
        "library": row["library"],
        "version_asked": row["version"],
        "profiles": profiles.as_rows(),
        "gpu": next((gpu.name for gpu in nvidia_gpus()), None),
    }
    try:
        print(f"{name}: building with {row['library']} {row['version']}", flush=True)
        built: BuiltEngine = library.build(
            onnx_path=onnx_folder / "model.onnx", signature=signature, profiles=profiles, version=row["version"]
        )
        serialized = built.serialized
        facts |= _facts(built, library.inspect(serialized, row["version"]))
        check_engine(
            name,
            census=census(onnx_folder / "model.onnx"),
            layers_by_precision=facts["layers_by_precision"],
        )
        print(f"{name}: {len(serialized):,} bytes, layers by precision {facts['layers_by_precision']}", flush=True)
    except Unavailable as unavailable:
        serialized = b""
        facts |= {"status": "not built", "reason": unavailable.reason}
        print(f"{name}: not built: {unavailable.reason}", flush=True)
    with staged_folder(engine_folder) as scratch:
        (scratch / "model.engine").write_bytes(serialized)
        copy_files(("signature.json", *PREPROCESSOR_FILES[signature.task]), onnx_folder, scratch)
        inputs = {
            file: entry["sha256"] for file, entry in manifest["files"].items() if file.startswith("model.onnx")
        }  # external data stands beside the file as model.onnx.<something>
        write_manifest(scratch / "engine.json", kind="engine", facts=facts, inputs=inputs)


def _facts(built: BuiltEngine, inspection: Inspection) -> dict[str, Any]:
    """What engine.json says about an engine that was built."""
    confirmed, confirmation = _compare(built, inspection)
    layers = built.layers or inspection.layers or ()
    return {
        "status": "built",
        "library_version": built.library_version,
        "build_seconds": built.build_seconds,
        "size_bytes": len(built.serialized),
        "layers": [layer.as_dict() for layer in layers],
        "layers_by_precision": count_by_precision(layers),
        "confirmed_by_inspector": confirmed,
        "confirmation": confirmation,
        "compute_capability": None if built.compute_capability is None else list(built.compute_capability),
        "equivalent_commands": built.equivalent_commands,
    }


def _compare(built: BuiltEngine, inspection: Inspection) -> tuple[bool, str]:
    """Whether the loaded engine says of its layers what its builder said, and in words."""
    if inspection.layers is None:
        return False, inspection.reason
    if not built.layers:
        return True, "the builder printed no layer listing; the layers are the engine inspector's"
    inspected = count_by_precision(inspection.layers)
    if inspected != built.layers_by_precision:
        return False, f"the builder listed {built.layers_by_precision}, the engine inspector {inspected}"
    return True, "the engine inspector lists the same layers by precision as the builder"
