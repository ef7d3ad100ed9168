"""A study of sequence lengths made small: unlike cut_down it keeps the data, and lengths keep their proportions."""

import copy
from typing import Any

from tests.workflow.cut_down import MEASUREMENT

TOKENS = 64  # of the longest row
WIDTHS = {"dim": 16, "hidden_dim": 32, "n_layers": 1, "n_heads": 2}  # of a DistilBERT


def cut_lengths(params: dict[str, Any]) -> dict[str, Any]:
    """A copy with small sizes of the model, few rows, short lengths and the shortest measurements that count.

    Lengths keep their proportions: data.max_tokens becomes TOKENS, and every other number of tokens the same share of it.
    """
    small = copy.deepcopy(params)
    data, train = small["data"], small["train"]
    longest = data["max_tokens"]
    if longest is not None:
        data["max_tokens"] = min(longest, TOKENS)

    def tokens(count: int) -> int:
        return max(3, count * min(longest, TOKENS) // longest)

    for key, most in (("train_rows", 200), ("test_rows", 40), ("validation_rows", 24), ("calibration_rows", 16)):
        if data.get(key) is not None:
            data[key] = min(data[key], most)
    config = small["model"].get("config", {})
    config |= {key: min(value, WIDTHS[key]) for key, value in config.items() if key in WIDTHS}
    if "dim" in config:
        config["initializer_range"] = 0.3  # logits large enough to differ between rows
    if "max_position_embeddings" in config:
        config["max_position_embeddings"] = data["max_tokens"]
    if small["model"].get("preprocessor", {}).get("kind") == "tokenizer":
        small["model"]["preprocessor"]["vocabulary_size"] = 600
    if train["method"] == "fine_tune":
        train |= {"device": "cpu", "threads": 1, "epochs": 1}
    for row in small["calibrations"].values():
        row["samples"] = min(row["samples"], 16)
    for row in small["precisions"].values():
        for key in ("max_tokens", "row_tokens"):
            if key in row:
                row[key] = tokens(row[key])
    for engine in small["engines"].values():
        for key in ("min_shape", "opt_shape", "max_shape"):
            if key in engine and longest is not None:
                engine[key][1] = tokens(engine[key][1])
        for shape in engine.get("static_shapes", []):
            shape[1:] = [tokens(shape[1])] if longest is not None else []
    for workload in small["workloads"].values():
        if "sequence_length" in workload:
            workload["sequence_length"] = tokens(workload["sequence_length"])
    for backend in small["backends"].values():
        for key in ("threads", "intra_op_threads"):
            if key in backend["options"]:
                backend["options"][key] = 1
    small["measurement"] |= MEASUREMENT
    return small
