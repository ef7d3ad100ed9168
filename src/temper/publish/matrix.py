"""docs/matrix.md: which model families go through which conversion on which runtime, from results/matrix.json.

`make matrix` measures (benchmarks/matrix.py); here are the families that it tries and the page that is written of what it found.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

FILE = "results/matrix.json"
OPSETS = (20, 23)
STEPS = {
    "fp16": "FP16",
    "int8_static": "INT8, static",
    "int8_dynamic": "INT8, dynamic",
    "int8_weight_only": "weights in 8 bits",
    "pack_rows": "packed rows",
}
RUNTIMES = ("ONNX Runtime", "OpenVINO")
ENGINES = {"export": "FP32", "fp16": "FP16"}  # steps of which TensorRT-RTX builds an engine
Json = Mapping[str, Any]
_ABOUT = "Written by `make matrix` from results/matrix.json, not for editing."
_READING = """\
✓: every logit is transformers' within a ten-thousandth of
the span of its logits; a percentage is the largest distance, of which an INT8 model of random weights has much (a trained one
has less); a number in brackets is the reason below. Two in a cell are ONNX Runtime and OpenVINO, of the first column opset 20 and
opset 23, of the last an engine of FP32 and one of FP16; one is both. Packed rows are for texts. A word in brackets is
the attention that was exported where the network's own could not be. Engines are built, which needs no GPU, and not run."""

_TEXT: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}
_DECODER = {**_TEXT, "num_key_value_heads": 2, "bos_token_id": 1, "eos_token_id": 2}
_SEQ2SEQ = {"vocab_size": 100, "d_model": 32, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_IMAGE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_WINDOWS = {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [1, 2], "num_heads": [1, 2], "window_size": 4}
# by the name of the family: transformers' model_type, and what its configuration says beside the sizes above
_TEXTS: dict[str, tuple[str, dict[str, Any]]] = {
    "BERT": ("bert", _TEXT),
    "DistilBERT": ("distilbert", {**_TEXT, "dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2}),
    "RoBERTa": ("roberta", _TEXT),
    "XLM-R": ("xlm-roberta", _TEXT),
    "ALBERT": ("albert", {**_TEXT, "embedding_size": 16}),
    "ELECTRA": ("electra", {**_TEXT, "embedding_size": 16}),
    "MPNet": ("mpnet", {**_TEXT, "max_position_embeddings": 66}),
    "DeBERTa-v2/v3": (
        "deberta-v2",
        {
            **_TEXT,
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 16,
            "type_vocab_size": 0,
        },
    ),
    "ModernBERT": ("modernbert", {**_TEXT, "global_attn_every_n_layers": 2, "local_attention": 8}),
    "NomicBERT": ("nomic_bert", _TEXT),
    "Longformer": ("longformer", {**_TEXT, "attention_window": 8, "max_position_embeddings": 130}),
    "BART": (
        "bart",
        {
            **_SEQ2SEQ,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "max_position_embeddings": 64,
            "init_std": 0.3,
        },
    ),
    "T5": ("t5", {**_SEQ2SEQ, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2, "decoder_start_token_id": 0}),
    "GPT-2": (
        "gpt2",
        {"vocab_size": 100, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 2, "pad_token_id": 0},
    ),
    "OPT": ("opt", {**_TEXT, "ffn_dim": 64, "word_embed_proj_dim": 32}),
    "Llama": ("llama", _DECODER),
    "Qwen3": ("qwen3", {**_DECODER, "head_dim": 16}),
    "Gemma": ("gemma", {**_DECODER, "head_dim": 16}),
}
_IMAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "ResNet": ("resnet", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}),
    "ConvNeXt": ("convnext", {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}),
    "EfficientNet": (
        "efficientnet",
        {"width_coefficient": 0.2, "depth_coefficient": 0.2, "hidden_dim": 256, "initializer_range": 0.3},
    ),
    "MobileNetV2": ("mobilenet_v2", {"depth_multiplier": 0.25}),
    "MobileNetV3": ("mobilenet_v3", {}),
    "ViT": ("vit", {**_IMAGE, "image_size": 32, "patch_size": 8}),
    "DeiT": ("deit", {**_IMAGE, "image_size": 32, "patch_size": 8}),
    "BEiT": ("beit", {**_IMAGE, "image_size": 32, "patch_size": 8}),
    "Swin": ("swin", _WINDOWS),
    "Swin v2": ("swinv2", _WINDOWS),
    "MobileViT": (
        "mobilevit",
        {
            "image_size": 64,
            "hidden_sizes": [16, 20, 24],
            "neck_hidden_sizes": [8, 8, 8, 16, 20, 24, 32],
            "initializer_range": 0.3,
            "num_attention_heads": 2,
        },
    ),
    "DINOv2": ("dinov2", {**_IMAGE, "image_size": 32, "patch_size": 8}),
}


def families() -> dict[str, dict[str, Any]]:
    """The families that are tried, by name: `task`, `model_type`, `config`, and of images their `image_size`."""
    found: dict[str, dict[str, Any]] = {
        name: {"task": "text-classification", "model_type": kind, "config": config}
        for name, (kind, config) in _TEXTS.items()
    }
    for name, (kind, config) in _IMAGES.items():
        size = {"image_size": config.get("image_size", 32)}
        found[name] = {"task": "image-classification", "model_type": kind, "config": config, **size}
    return found


class _Refusals:
    """Reasons, each with a letter that stands in the cells."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()

    def mark(self, reason: str) -> str:
        """What stands in a cell: the reason's number, by when it came first."""
        self.counted[reason] += 1
        return f"[{list(self.counted).index(reason) + 1}]"


def _cell(found: Json | None, refusals: _Refusals) -> str:
    if found is None:
        return "–"
    if "refused" in found:
        return refusals.mark(str(found["refused"]))
    difference = float(found["difference"])
    text = f"{100 * difference:.2g} %" if difference >= 1e-4 else "✓"
    return f"{text} ({found['attention']})" if "attention" in found else text


def _both(step: Json | None, refusals: _Refusals) -> list[str]:
    if step is not None and "refused" in step:
        mark = refusals.mark(str(step["refused"]))
        return [mark, mark]
    return [_cell(None if step is None else step.get(name), refusals) for name in RUNTIMES]


def _engines(found: Json | None, refusals: _Refusals) -> str:
    """Engines that were built: of both precisions in one where they went alike."""
    if not found:
        return "–"
    cells = [
        "–" if step not in found else "built" if "built" in found[step] else refusals.mark(str(found[step]["refused"]))
        for step in ENGINES
    ]
    return " · ".join(dict.fromkeys(cells))


def _line(name: str, found: Json, refusals: _Refusals) -> list[str]:
    if "refused" in found:
        return [name, refusals.mark(str(found["refused"])), *["–"] * (len(STEPS) + 2)]
    opsets = " · ".join(dict.fromkeys(_cell(found["opsets"].get(str(opset)), refusals) for opset in OPSETS))
    steps = [" · ".join(dict.fromkeys(_both(found["steps"].get(step), refusals))) for step in ("export", *STEPS)]
    return [name, opsets, *steps, _engines(found.get("engines"), refusals)]


def page(content: Json) -> str:
    """The text of docs/matrix.md.

    Args:
        content: of results/matrix.json.
    """
    refusals = _Refusals()
    header = ["family", f"ONNX, opsets {' and '.join(map(str, OPSETS))}", "FP32", *STEPS.values(), "TensorRT-RTX"]
    lines = [_line(name, found, refusals) for name, found in content["families"].items()]
    cells = [part for line in lines for cell in line[1:] for part in cell.split(" · ")]
    works = sum(not cell.startswith(("[", "–")) for cell in cells)
    refused = sum(cell.startswith("[") for cell in cells)
    table = "\n".join(["| " + " | ".join(each) + " |" for each in (header, ["---"] * len(header), *lines)])
    used = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    reasons = "\n".join(f"{place}. {reason}" for place, reason in enumerate(refusals.counted, start=1))
    counts = (
        f"{len(lines)} families with tiny random weights: {works} cells answer or are built, {refused} are refused."
    )
    return f"""# Which models go through

{_ABOUT} {counts} {_READING}

{table}

{reasons}

Versions: {used}.
"""
