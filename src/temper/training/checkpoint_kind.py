"""Folders and files that people have as a checkpoint and that are none of transformers' own: named as what they are.

Nothing heavy is imported and nothing but names and JSON is read: what many of them hold would run code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.reading.json_file import read_json
from temper.training.checkpoint_config import MOST_BYTES, read_config

_SAVE = "save_pretrained(FOLDER)"

_TIMM_WRAPPER = "timm_wrapper"
_ADAPTED = {  # peft has such a class for some tasks; images have none
    "SEQ_CLS": "AutoPeftModelForSequenceClassification",
    "TOKEN_CLS": "AutoPeftModelForTokenClassification",
}
_LIGHTNING = ("*.ckpt", "checkpoints/*.ckpt", "version_*/checkpoints/*.ckpt", "lightning_logs")


@dataclass(frozen=True)
class Foreign:
    """What a checkpoint is instead.

    what: in words, after 'it is'.
    cure: how a folder that transformers loads is made of it.
    """

    what: str
    cure: str


def _json(file: Path) -> Mapping[str, Any]:
    """A table of a JSON file; empty where it cannot be read."""
    try:
        return read_config(file)
    except (OSError, ValueError):
        return {}


def _list(file: Path) -> list[Any]:
    try:
        content = read_json(file, MOST_BYTES)
    except (OSError, ValueError):
        return []
    return content if isinstance(content, list) else []


def _adapter(folder: Path) -> Foreign | None:
    if not (folder / "adapter_config.json").is_file():
        return None
    content = _json(folder / "adapter_config.json")
    base = content.get("base_model_name_or_path") or "its base model"
    auto = _ADAPTED.get(str(content.get("task_type")))
    loaded = (
        f"{auto}.from_pretrained(ADAPTER, num_labels=N)"
        if auto
        else "PeftModel.from_pretrained(AutoModelFor….from_pretrained(BASE, num_labels=N), ADAPTER)"
    )
    kind = content.get("peft_type") or "PEFT"
    return Foreign(
        f"an adapter ({kind}) for {base}, without that model's weights",
        f"merge it by peft: {loaded}.merge_and_unload().{_SAVE}, and save the tokenizer (or the image processor) there too",
    )


def _quantized(folder: Path) -> Foreign | None:
    said = _json(folder / "config.json").get("quantization_config")
    if not isinstance(said, Mapping):
        return None
    method = str(said.get("quant_method") or "a library")
    bits = (
        "4-bit"
        if said.get("load_in_4bit")
        else "8-bit"
        if said.get("load_in_8bit")
        else f"{said['bits']}-bit"
        if "bits" in said
        else ""
    )
    return Foreign(
        f"quantised already, by {method}{f' ({bits})' if bits else ''}: its weights are no floats, which every conversion here "
        "begins with",
        f"name the checkpoint from before; or load this one on the machine that runs it, and model.dequantize().{_SAVE} "
        "(its loss of accuracy stays)",
    )


def _sentence_transformers(folder: Path) -> Foreign | None:
    modules = _list(folder / "modules.json")
    if not modules:
        return None
    if (folder / "model_head.pkl").is_file():
        return Foreign(
            "a SetFit model, whose classifier is a pickle of scikit-learn",
            "fine-tune its body here: copy the folder without model_head.pkl, with train.method: fine_tune (temper init: "
            "--fine-tune yes)",
        )
    inner = next((str(each.get("path")) for each in modules if isinstance(each, Mapping) and each.get("path")), "")
    if (folder / "config.json").is_file() or not (folder / inner / "config.json").is_file():
        return None
    return Foreign(
        f"a folder of sentence-transformers, whose model lies in {inner}", f"name that folder: {folder / inner}"
    )


def _other_weights(folder: Path) -> Foreign | None:
    if any(folder.glob("*.safetensors")):
        return None
    if any(path for pattern in _LIGHTNING for path in folder.glob(pattern)):
        return Foreign(
            "a checkpoint of Lightning: a pickle of a whole training, which would run code",
            f"load it with its own class where you trust it (MyModule.load_from_checkpoint(FILE)), and {_SAVE} the transformers "
            "model inside, and the tokenizer",
        )
    endings = {
        "*.gguf": ("a GGUF file of llama.cpp", "name the checkpoint that it was made from"),
        "*.onnx": ("an ONNX file", "name the checkpoint that it was exported from"),
        "*.h5": ("of TensorFlow", f"transformers 4 reads it: AutoModel….from_pretrained(FOLDER, from_tf=True).{_SAVE}"),
        "*.msgpack": (
            "of Flax",
            f"transformers 4 reads it: AutoModel….from_pretrained(FOLDER, from_flax=True).{_SAVE}",
        ),
        "*.distcp": (
            "shards of a distributed training (torch.distributed.checkpoint)",
            f"gather them with the training's own tool (accelerate merge-weights, or Trainer.save_model), as {_SAVE} writes",
        ),
    }
    found = next((said for pattern, said in endings.items() if any(folder.glob(pattern))), None)
    return None if found is None else Foreign(*found)


def _timm(folder: Path) -> Foreign | None:
    config = _json(folder / "config.json")
    wrapped = config.get("model_type") == _TIMM_WRAPPER
    if "architecture" not in config or ("model_type" in config and not wrapped):
        return None
    return Foreign(
        f"a model of timm ({config['architecture']}){' in the wrapper of transformers' if wrapped else ''}: its network and its "
        "images' transforms are code of the package timm, which Temper does not install",
        "choose the network as transformers has it itself (resnet, convnext, vit, deit, beit, swin, dinov2 and others; of "
        "timm/resnet18.a1_in1k that is microsoft/resnet-18), or fine-tune such a one on the same images",
    )


def foreign(checkpoint: Path) -> Foreign | None:
    """What a folder or file is that people name as a checkpoint and transformers would not load as one.

    Args:
        checkpoint: of this machine.

    Returns:
        None where nothing speaks against it being a folder of transformers, or nothing is known of it.
    """
    if checkpoint.is_file():
        if checkpoint.suffix == ".ckpt":
            return Foreign(
                "a file of Lightning: a pickle of a whole training, which would run code",
                f"load it with its own class where you trust it, {_SAVE} the transformers model inside, and name that folder",
            )
        return Foreign("a file", "name the folder that transformers' save_pretrained wrote")
    kinds = (_adapter, _quantized, _sentence_transformers, _timm, _other_weights)
    return next((found for kind in kinds if (found := kind(checkpoint)) is not None), None)
