"""A study's params.yaml made small enough for a test: the same rows under the same names, tiny sizes, few calls.

Every size goes through a function that keeps order (a workload that fits an engine still fits it), so rows need not be
known here. Data and weights that come from elsewhere are replaced by synthetic rows, digits and random weights.
"""

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from temper.environment.devices import nvidia_gpus
from temper.study.resolve import load_resolved
from temper.study.sections.load_tests import SINGLE_STREAM_QUERIES, queries_needed
from tests.workflow.conftest import PATIENCE_S, ROOT, StudyFolder

Json = dict[str, Any]

VALIDATION_ROWS, CALIBRATION_ROWS = 24, 16
# by transformers' model_type; what a study's own configuration says beside these keys is kept
CONFIGS: dict[str, Json] = {
    "distilbert": {"dim": 16, "hidden_dim": 32, "n_layers": 1, "n_heads": 2},
    "bert": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2},
    "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 2},
    "resnet": {"num_channels": 3, "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]},
}
POSITIONS = {"distilbert": "max_position_embeddings", "bert": "max_position_embeddings", "gpt2": "n_positions"}
NAMED_AFTER = {"minilm": "bert"}  # checkpoints whose names say another architecture than they have
MEASUREMENT: Json = {
    "warmup_runs": 2,
    "calls_per_turn": 2,
    "min_calls": 12,
    "max_calls": 40,
    "min_duration_s": 0.0,
    "max_duration_s": 0.5,
    "resamples": 400,
    "distinct_batches": 2,
    "alone_calls": 5,
    "throughput_callers": [1],
    "throughput_duration_s": 0.01,
    "accuracy_batch_size": 8,
}
QUANTIZATION_AWARE: Json = {"device": "cpu", "threads": 1, "steps": 3, "batch_size": 8, "steps_per_log": 2}
FINE_TUNE: Json = {"device": "cpu", "precision": "float32", "threads": 1, "epochs": 1, "batch_size": 32}
HISTOGRAM: Json = {"bins": 512, "percentile": 99.0}  # of the values that there are


def small_batch(size: int) -> int:
    """1, 2, 4 … 256 → 1, 2, 3 … 9: no order is turned round, powers of two stay apart."""
    return size.bit_length()


def small_length(tokens: int) -> int:
    """64, 128 … 1,024 tokens → 28, 32 … 44; up to 8, which real lengths are padded to, as it is."""
    return tokens if tokens <= 8 else 4 * tokens.bit_length()


def cut_down(params: Mapping[str, Any]) -> Json:
    """The same study with tiny sizes.

    Args:
        params: content of a params.yaml.

    Returns:
        A copy with the same names in every section, that needs no file and no network.

    Raises:
        LookupError: its architecture has no row in CONFIGS.
    """
    study = copy.deepcopy(dict(params))
    text = study["model"]["task"] == "text-classification"
    label = "negative" if text else "0"
    longest = small_length(study["data"]["max_tokens"]) if text else None
    study["data"] = _data(longest)
    study["model"] = _model(study["model"], longest)
    study["train"] = (
        {**study["train"], **FINE_TUNE} if study["train"]["method"] == "fine_tune" else {"method": "untrained"}
    )
    for options in study["calibration_methods"].values():
        options.update({key: value for key, value in HISTOGRAM.items() if key in options})
    for row in study["calibrations"].values():
        row["samples"] = min(row["samples"], CALIBRATION_ROWS)
        row["rows"] = {"label": label} if isinstance(row["rows"], dict) else row["rows"]
    for section in ("precisions", "calibrated_precisions", "searched_precisions", "quantization_aware"):
        for row in study[section].values():
            _shrink_conversion(row)
    for row in study["searches"].values():
        row.update(rows=min(row["rows"], VALIDATION_ROWS), threads=1)
    for row in study["quantization_aware"].values():
        row.update(QUANTIZATION_AWARE)
    for row in study["buckets"].values():
        row.update(batch_size=small_batch(row["batch_size"]), multiple_of=min(row["multiple_of"], 8))
    packed = _packed_rows(study)
    for row in study["engines"].values():
        _shrink_shapes(row, packed=row["onnx"] in packed)
    for row in study["backends"].values():
        _shrink_options(row["options"])
    for sizes in study["workloads"].values():
        sizes["batch_size"] = small_batch(sizes["batch_size"])
        if "sequence_length" in sizes:
            sizes["sequence_length"] = small_length(sizes["sequence_length"])
    study["measurement"] = {**study["measurement"], **MEASUREMENT}
    for row in study["load_tests"].values():
        row.update(min_queries=_fewest_queries(row), min_duration_s=0.05, timeout_s=60.0)
    return study


def _data(longest: int | None) -> Json:
    drawn = {"validation_rows": VALIDATION_ROWS, "calibration_rows": CALIBRATION_ROWS, "max_tokens": longest}
    if longest is None:
        return {"source": "digits", "test_rows": 1600, **drawn}
    return {"source": "synthetic", "train_rows": 120, "test_rows": 32, "label_noise": 0.0, **drawn}


def _model_type(model: Mapping[str, Any]) -> str:
    if model["source"] == "architecture":
        return str(model["model_type"])
    name = model["checkpoint"].lower()
    if name.endswith("checkpoint"):  # another study's: a MiniLM in all of them
        return "bert"
    named = {**NAMED_AFTER, **{known: known for known in CONFIGS}}
    return next(architecture for part, architecture in named.items() if part in name)


def _model(model: Mapping[str, Any], longest: int | None) -> Json:
    kind = _model_type(model)
    config = {**model.get("config", {}), **CONFIGS[kind]}
    config.pop("vocab_size", None)  # then it is the tokenizer's
    if longest is not None:
        config[POSITIONS[kind]] = longest
        preprocessor: Json = {"kind": "tokenizer", "algorithm": "bpe", "vocabulary_size": 300}
    else:
        half = [0.5, 0.5, 0.5]
        preprocessor = {"kind": "image_processor", "height": 16, "width": 16, "mean": half, "std": half}
    return {
        "task": model["task"],
        "source": "architecture",
        "model_type": kind,
        "config": config,
        "preprocessor": preprocessor,
    }


def _shrink_conversion(row: Json) -> None:
    if "row_tokens" in row:
        row["row_tokens"] = small_length(row["row_tokens"])
    if "max_tokens" in row:  # rows that are cut stay shorter than data.max_tokens
        row["max_tokens"] = small_length(row["max_tokens"])
    if "keep_in_float" in row:  # of several layers the first is left
        row["keep_in_float"] = sorted({re.sub(r"\.\d+\.", ".0.", name) for name in row["keep_in_float"]})


def _packed_rows(study: Json) -> set[str]:
    """ONNX rows whose inputs are packed."""
    conversions = {**study["precisions"], **study["calibrated_precisions"], **study["searched_precisions"]}
    packed: set[str] = set()
    for name in conversions:
        chain, row = [name], conversions[name]
        while row is not None and row["step"] != "pack_rows":
            chain.append(row["onnx"])
            row = conversions.get(row["onnx"])
        packed |= {chain[0]} if row is not None else set()
    return packed


def _small_shape(shape: list[int], *, packed: bool = False) -> list[int]:
    """Batch, then sequence for text; of packed rows as many rows as sentences, which always suffice."""
    batch = small_batch(shape[0])
    return [batch] * 2 if packed else [batch, *map(small_length, shape[1:])]


def _shrink_shapes(engine: Json, *, packed: bool) -> None:
    for key in ("min_shape", "opt_shape", "max_shape"):
        if key in engine:
            engine[key] = _small_shape(engine[key], packed=packed)
    if "static_shapes" in engine:
        shapes = [tuple(_small_shape(shape, packed=packed)) for shape in engine["static_shapes"]]
        engine["static_shapes"] = [list(shape) for shape in dict.fromkeys(shapes)]


def _shrink_options(options: Json) -> None:
    for key in ("threads", "intra_op_threads"):
        if key in options:
            options[key] = 1
    if options.get("profile_shapes"):
        options["profile_shapes"] = {key: _small_shape(shape) for key, shape in options["profile_shapes"].items()}


def light_baseline(study: Mapping[str, Any]) -> Json:
    """A candidate on ONNX Runtime's CPU in place of PyTorch: it is loaded beside every other one, and importing PyTorch takes
    longer than all else in a tiny measurement. The study's own where it has none, or needs a GPU."""
    own: Json = study["baseline"]
    backends = study["backends"]
    if backends[own["backend"]]["runner"] != "pytorch" or backends[own["backend"]]["gpus"]:
        return own
    for row in study["candidates"].values():
        backend = backends[row["backend"]]
        everywhere = set(row["workloads"]) == set(study["workloads"])
        if backend["runner"] == "onnxruntime" and not backend["gpus"] and everywhere:
            return {"backend": row["backend"], "loads": row["loads"]}
    return own


def _fewest_queries(row: Mapping[str, Any]) -> int:
    if row["scenario"] == "server":
        return queries_needed(row["latency_percentile"])
    return SINGLE_STREAM_QUERIES if row["scenario"] == "single_stream" else 16


def params_of(name: str) -> Json:
    """What studies/<name>/params.yaml says."""
    params: Json = load_resolved(ROOT / "studies" / name / "params.yaml")
    return params


def run_cut_down(
    name: str, code: Path, folder: Path, *, own_baseline: bool = False, like: StudyFolder | None = None
) -> StudyFolder:
    """Cut a study of studies/ down and run all of it with the real Snakefile, once.

    Args:
        name: of the study.
        code: what to run (the fixture of that name).
        folder: gets params.yaml and everything that is made.
        own_baseline: whether it has to be the study's; else a lighter one may stand in for it.
        like: a finished variant of the study: what has the same settings there (a checkpoint, exports) is not made again.
    """
    study = StudyFolder(folder, code)
    study.folder.mkdir(parents=True, exist_ok=True)
    if like is not None:
        shutil.copytree(like.folder, study.folder, symlinks=True, dirs_exist_ok=True)
    params = cut_down(params_of(name))
    if not own_baseline:
        params["baseline"] = light_baseline(params)
    (study / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    study.snakemake(patience_s=10 * PATIENCE_S)
    return study


@contextmanager
def run_variants(
    first: str, *others: str, code: Path, new_folder: Callable[[str], Path], own_baseline: bool = False
) -> Iterator[dict[str, StudyFolder]]:
    """Variants of one study by their names, each run once by `run_cut_down`, the others like the first; removed at the end.

    Args:
        first: a study of studies/.
        others: its variants.
        code: what to run (the fixture of that name).
        new_folder: makes an empty folder of that name.
        own_baseline: as in `run_cut_down`.
    """
    studies = {first: run_cut_down(first, code, new_folder(first), own_baseline=own_baseline)}
    for name in others:
        studies[name] = run_cut_down(name, code, new_folder(name), own_baseline=own_baseline, like=studies[first])
    yield studies
    for study in studies.values():
        shutil.rmtree(study.folder)


def check_records(study: StudyFolder) -> None:
    """Whatever this machine can run was measured, all else says why not, and nothing is left to do."""
    params = yaml.safe_load((study / "params.yaml").read_text())
    gpus = len(nvidia_gpus())
    beside_nothing = params["backends"][params["baseline"]["backend"]]["gpus"] > gpus
    for name, row in params["candidates"].items():
        record = json.loads((study / f"artifacts/measurements/{name}.json").read_text())
        measurable = params["backends"][row["backend"]]["gpus"] <= gpus
        expected = "measured" if measurable else "not measured"
        assert (name, record["status"]) == (name, expected), record["reason"]
        assert measurable or "no NVIDIA GPU" in record["reason"]
        assert set(record["workloads"]) == set(row["workloads"])
        for workload in record["workloads"].values():
            assert workload["status"] == expected
            assert not measurable or workload["ratio"]["status"] == ("not measured" if beside_nothing else "measured")
    assert json.loads((study / "artifacts/report/summary.json").read_text())
    assert study.planned() == []
