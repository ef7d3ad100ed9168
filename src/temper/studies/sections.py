"""The sections of a new study's params.yaml: what its recipe and defaults.yaml do not say, for one model and its data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from temper.artifacts.onnx_file import PROTOBUF_LIMIT_BYTES
from temper.study.params_text import as_yaml
from temper.study.resolve import DEFAULTS, defaults_version, resolve
from temper.study.sections.model import Task

SEED = 17
Section = dict[str, Any]
SCHEMA = "../../src/temper/study/params.schema.json"  # from a study's folder: what editors check it with as it is typed
ONE_TOKEN = "openvino-int8-fast"  # the recipe's candidate whose last layer is computed for the classifier's token alone
_STATIC = {
    "openvino-int8-static": {"backend": "openvino-fast", "loads": "onnx/int8"}
}  # quick's static INT8 without that one
COMMENTS = {
    "recipe": "quick, cpu, gpu or everything: what is measured; rows of your own in candidates add to it, null leaves one out",
    "threads": "of the CPU backends; this machine's",
    "workloads": "what one call is",
    "measurement": "10 s of calls make intervals narrower, callers [1, 2] take throughput with two at once, too",
}


@dataclass(frozen=True)
class Wanted:
    """What a new study is made of.

    data: the `data:` section.
    checkpoint: folder of the checkpoint, from the study's.
    attends: whether the network has attention.
    fixed_token: of texts, whether the recipe's row of one token can be made of it (temper/studies/fixed_token.py).
    sequence_length: tokens of a timed call; None for images.
    fine_tune: whether the checkpoint is trained on the data, or taken as it is.
    engine_version: of TensorRT-RTX, whose engines are built and run on an NVIDIA GPU; None: without them.
    threads: of the CPU backends and of training.
    weight_bytes: of the network in FP32.
    """

    name: str
    task: Task
    data: Section
    checkpoint: str
    attends: bool
    sequence_length: int | None
    fine_tune: bool
    engine_version: str | None
    threads: int
    fixed_token: bool = True
    weight_bytes: int = 0


def _train(wanted: Wanted) -> Section:
    if not wanted.fine_tune:
        return {}
    return {"train": {"device": "cuda" if wanted.engine_version else "cpu", "threads": wanted.threads}}


def _workloads(wanted: Wanted) -> Section:
    sizes: Section = {"b1": {"batch_size": 1}, "b8": {"batch_size": 8}}
    if wanted.sequence_length is None:
        return sizes
    length = wanted.sequence_length
    return {f"{name}-s{length}": {**size, "sequence_length": length} for name, size in sizes.items()}


def _attention(wanted: Wanted) -> Section:
    """What the recipe takes of texts to be right with attention, and of images without: here where it is the other way."""
    if wanted.attends == (wanted.task == "text-classification"):
        return {}
    if wanted.attends:
        dynamic = {"ort-int8-dynamic": {"backend": "ort-cpu", "loads": "onnx/int8-dynamic"}}
        engine = {"rtx-int8": {"backend": "rtx", "loads": "engines/int8"}} if wanted.engine_version else {}
        return {
            "calibration_methods": {"nncf": {"model_type": "transformer", "smooth_quant_alpha": 0.95}},
            "conversions": {"int8": {"quantize_bias": False}},
            "candidates": {**dynamic, **engine},
        }
    no_engine: Section = {"rtx-int8": None} if wanted.engine_version else {}
    return {
        "calibration_methods": {"nncf": {"model_type": "other", "smooth_quant_alpha": None}},
        "conversions": {"int8": {"quantize_bias": True}},
        "candidates": {"ort-int8-dynamic": None, ONE_TOKEN: None, **no_engine},
    }


def sections(wanted: Wanted) -> Section:
    """The content of params.yaml: what defaults.yaml would not give anyway."""
    study: Section = {
        DEFAULTS: defaults_version(),
        "study": wanted.name,
        "seed": SEED,
        "recipe": "everything" if wanted.engine_version else "quick",
        "threads": wanted.threads,
        "data": dict(wanted.data),
        "model": {"task": wanted.task, "checkpoint": wanted.checkpoint},
        **_train(wanted),
        "workloads": _workloads(wanted),
        **_attention(wanted),
    }
    if wanted.task == "text-classification" and not wanted.fixed_token:
        study["candidates"] = {**study.get("candidates", {}), ONE_TOKEN: None}
    if study["recipe"] == "quick":
        # in the study, not in the recipe: with another recipe tomorrow, only what that adds runs
        study["measurement"] = {"max_duration_s": 5.0, "throughput_callers": [1]}
        if study.get("candidates", {}).get(ONE_TOKEN, ...) is None:
            study["candidates"] |= _STATIC
    if wanted.engine_version:
        built = resolve(study)["engines"]
        study["engines"] = {name: {"version": wanted.engine_version} for name in built}
        study["backends"] = {"rtx": {"version": wanted.engine_version}}
    if wanted.weight_bytes >= PROTOBUF_LIMIT_BYTES:
        study["onnx_external_data"] = True
        study["calibrations"] = {
            name: {"method": "percentile"} for name in resolve(study)["calibrations"]
        }  # NNCF's needs one message
    return _shortened(study)


def _shortened(study: Section) -> Section:
    """The study without what it would be without saying: sections, rows and keys, as far as that changes nothing."""
    whole = resolve(study)

    def without(content: Section, path: tuple[str, ...]) -> Section:
        key, *rest = path
        if not rest:
            return {name: value for name, value in content.items() if name != key}
        inner = without(content[key], tuple(rest))
        return {**content, key: inner} if inner else without(content, (key,))

    def paths(content: Any, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        if not isinstance(content, Mapping):
            return []
        return [path for key, value in content.items() for path in ((*above, key), *paths(value, (*above, key)))]

    for path in paths(study):
        there: Any = study
        for key in path:
            there = there.get(key, ...) if isinstance(there, Mapping) else ...
        if there is ... or path[0] in (DEFAULTS, "study", "recipe", "threads"):
            continue
        shorter = without(study, path)
        if resolve(shorter) == whole:
            study = shorter
    for name in ("train", "validation", "test"):
        file = study["data"].get(name)
        if isinstance(file, Mapping) and set(file) == {"path"}:
            study["data"] = {**study["data"], name: file["path"]}
    return study


def text_of(content: Mapping[str, Any], title: str) -> str:
    """The text of params.yaml.

    Args:
        content: what `sections` gives.
        title: a line for the head of the file.
    """
    head = (
        f"# yaml-language-server: $schema={SCHEMA}\n"
        f"# {title}. Every key is in docs/params.md;\n"
        "# `temper check --resolved params.yaml` prints what these lines stand for, with every value.\n"
    )
    return head + as_yaml(content, COMMENTS)
