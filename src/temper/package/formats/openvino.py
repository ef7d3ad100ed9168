"""The layout of OpenVINO Model Server: <model>/<version>/, a configuration, and the package for texts beside it."""

import json
import shutil
from pathlib import Path
from typing import Any

from temper.package.contents import Source

WRITTEN_FOR = (
    "OpenVINO Model Server, which takes tensors; texts become tensors by package/ (`package_runtime.load().encode`)"
)

TAKES = ("openvino", "onnxruntime")  # the server reads ONNX
VERSION = "1"


def lay_out(source: Source, facts: dict[str, Any], base: Path, target: Path) -> list[str]:
    """The measured file under its version; the server reads ONNX itself, so that it is the very bytes that were measured."""
    name = facts["study"]["name"]
    files = target / "models" / name / VERSION
    files.mkdir(parents=True)
    for file in sorted((base / "model").glob("model.onnx*")):
        shutil.copyfile(file, files / file.name)
    options = facts["runner"]["options"]
    plugin = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1"}
    if facts["runner"]["name"] == "openvino":
        plugin |= {
            "INFERENCE_PRECISION_HINT": options["inference_precision"],
            "INFERENCE_NUM_THREADS": str(options["threads"]),
        }
    config = {"name": name, "base_path": f"/models/{name}", "target_device": "CPU", "plugin_config": plugin}
    text = json.dumps({"model_config_list": [{"config": config}]}, indent=2) + "\n"
    (target / "config.json").write_text(text, "utf-8")
    shutil.copyfile(base / "README.md", target / "README.md")
    shutil.copyfile(base / "labels.txt", target / "labels.txt")
    base.rename(target / "package")
    return [
        "next:      docker run -v $PWD/models:/models -v $PWD/config.json:/config.json openvino/model_server --config_path "
        "/config.json --port 9000; it was not run here"
    ]
