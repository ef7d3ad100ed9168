"""A folder for a model hub: the card and the tokenizer where transformers looks, the model where optimum looks."""

import shutil
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import canonical_json, read_document, read_manifest, write_text
from temper.artifacts.signature import PREPROCESSOR_FILES
from temper.package.contents import Source

WRITTEN_FOR = (
    "a model hub (`huggingface_hub.upload_folder`); onnx/ and config.json are where optimum's ONNX Runtime classes look, "
    "package/ answers by itself"
)

TAKES = ("openvino", "onnxruntime")  # optimum reads ONNX


def _config(source: Source) -> tuple[dict[str, Any], str]:
    """config.json of the study's checkpoint, and what the optimum classes make of the file."""
    folder = Path("artifacts/checkpoint")
    read_manifest(folder / "checkpoint.json", kind="checkpoint", verify=["config.json"])
    content = read_document(folder / "config.json")
    own = [spec.name for spec in source.signature.inputs]
    if own != [spec.name for spec in source.how.signature.inputs]:
        return content, f"only package/ reads it: its inputs are {', '.join(own)}, which pipelines do not make"
    return (
        content,
        "optimum's ONNX Runtime classes and pipelines read it (subfolder onnx); package/ answers as measured",
    )


def lay_out(source: Source, facts: dict[str, Any], base: Path, target: Path) -> list[str]:
    """Card, config.json and preprocessing at the top, the file under onnx/, and the package beside them."""
    config, readers = _config(source)
    (target / "onnx").mkdir(parents=True)
    for file in sorted((base / "model").glob("model.onnx*")):
        shutil.copyfile(file, target / "onnx" / file.name)
    for name in PREPROCESSOR_FILES[facts["task"]]:
        shutil.copyfile(base / "preprocessing" / name, target / name)
    labels = dict(enumerate(facts["labels"]))
    config |= {"id2label": labels, "label2id": {label: number for number, label in labels.items()}}
    write_text(target / "config.json", canonical_json({str(key): value for key, value in config.items()}))
    shutil.copyfile(base / "README.md", target / "README.md")
    base.rename(target / "package")
    return [f"hub:       {readers}; it was not uploaded"]
