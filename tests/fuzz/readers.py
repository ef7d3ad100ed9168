"""Every reader of an outside format, with a whole file of its own."""

import functools
import io
import json
import random
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from temper.artifacts.manifest import SEAL, canonical_json, read_manifest, seal, sha256, write_manifest
from tests.filed import file_study
from tests.fuzz.corrupt import in_what_it_holds
from tests.fuzz.judge import Reader
from tests.fuzz.server import server_readers
from tests.records import compared, record

ROOT = Path(__file__).resolve().parents[2]
ROWS = [("a charming film", "1"), ('the "plot" is dull', "0"), ("café, à la carte", "1"), ("=1+1", "0")] * 3


def _made(make: Callable[[Path], None], *names: str) -> dict[str, bytes]:
    """Bytes of files that `make` leaves in a folder."""
    with tempfile.TemporaryDirectory() as scratch:
        make(Path(scratch))
        return {name: (Path(scratch) / name).read_bytes() for name in names}


def _resealed(content: bytes, rng: random.Random) -> bytes:
    """A forger's manifest: changed, and its seal made anew."""
    document, _ = in_what_it_holds(json.loads(content), rng)
    if isinstance(document, dict):
        document[SEAL] = seal(document)
    return json.dumps(document).encode()


def _settings() -> list[Reader]:
    """params.yaml, raw.yaml, about.yaml, withdrawn.yaml."""
    from temper.cli.check import check
    from temper.cli.raw import _read_listing
    from temper.report.withdrawn import read_withdrawn
    from temper.studies.about import read_about

    about = b"title: A film\nneeds: {gpu: false, network: false, files: true}\nminutes: 3\n"
    raw_yaml = b"data/raw/train.tsv: sst2/train.tsv\ndata/raw/model.bin: [a/x.bin, b/y.bin]\n"
    withdrawn = b"- {date: 2026-11-30, reason: other work, candidates: [a], workloads: all}\n"
    return [
        Reader(
            "params.yaml",
            "yaml",
            (ROOT / "params.yaml").read_bytes(),
            lambda file: check([str(file)]),
            file="params.yaml",
        ),
        Reader(
            "params of a study",
            "yaml",
            (ROOT / "studies/sst2-minilm/params.yaml").read_bytes(),
            lambda file: check([str(file)]),
            file="params.yaml",
        ),
        Reader(
            "raw.yaml",
            "yaml",
            raw_yaml,
            lambda file: _read_listing(file.parent, Path()),
            lambda found: all(target.startswith("data/raw/") and ".." not in target for target in found),
            file="raw.yaml",
        ),
        Reader("about.yaml", "yaml", about, read_about, lambda found: found.title.isprintable()),
        Reader(
            "withdrawn.yaml",
            "yaml",
            withdrawn,
            lambda file: read_withdrawn(file.parent, ["a"], ["b1"]),
            file="withdrawn.yaml",
        ),
    ]


CONFIG = {
    "architectures": ["DistilBertForSequenceClassification"],
    "model_type": "distilbert",
    "id2label": {"0": "negative", "1": "positive"},
    "label2id": {"negative": 0, "positive": 1},
    "n_heads": 2, "n_layers": 2, "dim": 32, "hidden_dim": 64, "vocab_size": 99, "max_position_embeddings": 64,
    "problem_type": "single_label_classification", "sentence_transformers": {"activation_fn": "torch.nn.Softmax"},
}  # fmt: skip


@functools.cache
def _tokenizer() -> dict[str, bytes]:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = {
        word: number
        for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "charming", "film", "dull", "##ing"])
    }
    made = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "[PAD]",
        "truncation_side": "right",
        "model_max_length": 64,
    }
    return {"tokenizer.json": made.to_str().encode(), "tokenizer_config.json": json.dumps(settings).encode()}


def _weights(folder: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a.weight": np.ones((3, 4), np.float32), "b": np.arange(5)}, str(folder / "model.safetensors"))


def _network(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 2], np.arange(8, dtype=np.float32).tobytes(), raw=True)
    scale = helper.make_tensor("s", TensorProto.FLOAT, [], [0.1])
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s"], ["d"]),
        helper.make_node("MatMul", ["d", "w"], ["logits"], name="product"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch_size", 4])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", 2])
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [logits], [weight, scale]), opset_imports=[helper.make_opsetid("", 20)]
    )
    onnx.save(model, str(folder / "model.onnx"))


def _checkpoints() -> list[Reader]:
    """What a checkpoint has: config.json, a tokenizer, weights; and an ONNX file."""
    from temper.artifacts.census import census
    from temper.artifacts.onnx_file import read_model
    from temper.package.runtime.text import TextEncoder
    from temper.reading.weights_file import tensors_in
    from temper.studies.checkpoint import inspect_checkpoint

    def tokens(file: Path) -> Any:
        encoder = TextEncoder(file.parent, ["input_ids", "attention_mask"], max_tokens=8, texts_per_row=1)
        return encoder.encode([["a charming film"], ["dull " * 20], ["é\u202e\x00"]])[0]

    def ids(found: Any) -> bool:
        return all(len(row) <= 8 and row.dtype == np.int64 for rows in found.values() for row in rows)

    def network(file: Path) -> Any:
        return read_model(file), census(file)

    own = _tokenizer()
    beside = {"tokenizer_config.json": own["tokenizer_config.json"]}
    config = json.dumps(CONFIG).encode()
    return [
        Reader(
            "config.json",
            "json",
            config,
            lambda file: inspect_checkpoint(file.parent),
            file="config.json",
            beside=beside,
        ),
        Reader("tokenizer.json", "json", own["tokenizer.json"], tokens, ids, file="tokenizer.json", beside=beside),
        Reader(
            "tokenizer_config.json",
            "json",
            own["tokenizer_config.json"],
            tokens,
            ids,
            file="tokenizer_config.json",
            beside=own,
        ),
        Reader(
            "safetensors",
            "bytes",
            _made(_weights, "model.safetensors")["model.safetensors"],
            tensors_in,
            file="model.safetensors",
        ),
        Reader("ONNX", "bytes", _made(_network, "model.onnx")["model.onnx"], network, file="model.onnx"),
    ]


def _tables() -> list[Reader]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from temper.reading.rows_file import read_columns

    def read(format: str, quoting: bool | None) -> Callable[[Path], Any]:
        return lambda file: read_columns(str(file), format=format, quoting=quoting, columns=None, wanted=None).values

    def rectangle(found: Any) -> bool:
        return len({len(values) for values in found.values()}) <= 1

    lines = [("text", "label"), *ROWS]
    tsv = "".join("\t".join(row) + "\n" for row in lines).encode()
    csv = "".join(",".join('"' + value.replace('"', '""') + '"' for value in row) + "\n" for row in lines).encode()
    jsonl = "".join(json.dumps({"text": text, "label": int(label)}) + "\n" for text, label in ROWS).encode()
    array = json.dumps([{"text": text, "label": int(label)} for text, label in ROWS]).encode()
    parquet = io.BytesIO()
    pq.write_table(pa.table({"text": [text for text, _ in ROWS], "label": [int(label) for _, label in ROWS]}), parquet)
    return [
        Reader("TSV", "bytes", tsv, read("tsv", False), rectangle, file="a.tsv"),
        Reader("CSV", "bytes", csv, read("csv", True), rectangle, file="a.csv"),
        Reader("JSON lines", "bytes", jsonl, read("jsonl", None), rectangle, file="a.jsonl"),
        Reader("JSON array", "json", array, read("jsonl", None), rectangle, file="a.json"),
        Reader("Parquet", "bytes", parquet.getvalue(), read("parquet", None), rectangle, file="a.parquet"),
    ]


def picture(format: str) -> bytes:
    """A small image file."""
    from PIL import Image

    stream = io.BytesIO()
    pixels = np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)
    Image.fromarray(pixels).save(
        stream, format=format, **({"exif": _exif()} if format in ("JPEG", "WEBP", "PNG") else {})
    )
    return stream.getvalue()


def _exif() -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _images() -> list[Reader]:
    from temper.data.images import read_pixels

    def pixels(found: Any) -> bool:
        return found.values.dtype == np.uint8 and found.values.ndim == 3 and found.values.shape[2] == 3

    return [
        Reader(format, "bytes", picture(format), read_pixels, pixels, file="a.png")
        for format in ("PNG", "JPEG", "BMP", "WEBP")
    ]


def _records() -> list[Reader]:
    """What jobs leave: records, job records, manifests, caches, load tests, filed folders."""
    from temper.artifacts.signature import Signature, TensorSpec, read_signature
    from temper.load_test.record import LoadTestRecord, read_load_test
    from temper.measurement.record import write_record
    from temper.measurement.record_file import read_record
    from temper.measurement.remeasurements import read_remeasurements
    from temper.orchestration.job_record import FORMAT_VERSION, read_job_record
    from temper.package.runtime.manifest import NAME
    from temper.package.runtime.manifest import read_manifest as read_package
    from temper.quantization.calibration.cache import CACHE_FILE, read_cache
    from temper.report.decide.decided import read_decision
    from temper.report.decide.decision import decide
    from temper.report.filed import read_filed_study
    from temper.report.summary import read_summary, summary

    written = record("a", workloads=("b1", "b8"))
    files = _made(lambda folder: write_record(folder / "a.json", written), "a.json")
    job = {"rule": "measure", "row": "a", "settings": {"row": {"x": 1}}, "inputs": {"a": "b"}, "outputs": {"c": "d"}}
    load = {
        "schema_version": 1, "load_test": "server", "status": "not measured", "reason": "no GPU", "row": {}, "backend": {},
        "result": None, "machine": {}, "gpus": [], "conditions_before": {}, "conditions_after": {}, "versions": {},
        "source_digest": "s",
    }  # fmt: skip
    against = compared([written], "a")
    decided = decide([written], against)
    shown = summary([written], against, decided)
    cells = {"a": {"b1": {"why": "busy", "workload": written.workloads["b1"].model_dump(mode="json")}}}
    again = {"schema_version": 1, "study": "x", "latency_margin": 0.05, "cells": cells, "source_digest": "s"}

    def manifest(folder: Path) -> None:
        (folder / "weights.bin").write_bytes(b"weights")
        write_manifest(folder / "made.json", kind="onnx", facts={"versions": {"onnx": "1"}})

    def cache(folder: Path) -> None:
        facts = {"method": "minmax", "ranges": {"x": [-1.0, 2.0], "y": [0.0, 1.0]}, "holds_quantized_model": False}
        write_manifest(folder / CACHE_FILE, kind="calibration", facts=facts, files=())

    def package(folder: Path) -> None:
        (folder / "weights.bin").write_bytes(b"weights")
        digest = sha256(folder / "weights.bin")
        content = {
            "kind": "package",
            "format_version": 1,
            "files": {"weights.bin": {"sha256": digest, "size_bytes": 7}},
            "calls": {"batch_size": 4},
        }
        (folder / NAME).write_text(canonical_json({**content, SEAL: seal(content)}))

    made, caches, packages = (
        _made(manifest, "made.json", "weights.bin"),
        _made(cache, CACHE_FILE),
        _made(package, NAME, "weights.bin"),
    )
    loaded = LoadTestRecord.model_validate(load).model_dump(mode="json")
    signature = Signature(
        task="text-classification",
        inputs=(TensorSpec(name="input_ids", dtype="int64", axes=("batch_size", "sequence_length"), pad_value=0),),
        label_names=("a", "b"),
        padding_side="right",
    )
    names = ("params.yaml", "records.json", "jobs.json", "lists.jsonl.xz", "filed.json")
    many = record(
        "a", predictions=[0, 1] * 40, labels=[0, 1] * 40, latencies_ms=[2.0, 2.0] * 40, percentiles={"50": 2.0}
    )
    filed = _made(
        lambda folder: file_study(folder / "x", [many, many.model_copy(update={"candidate": "b"})]),
        *(f"x/{name}" for name in names),
    )

    def filed_reader(name: str, form: str) -> Reader:
        return Reader(
            f"filed {name}",
            form,
            filed[f"x/{name}"],
            lambda file: read_filed_study(file.parent),
            file=f"x/{name}",
            beside=filed,
        )

    def is_own(original: Mapping[str, Any]) -> Callable[[Any], bool]:
        return lambda found: found == original

    return [
        Reader("record", "json", files["a.json"], read_record, lambda found: found.schema_version == 2),
        Reader("remeasurements", "json", json.dumps(again).encode(), read_remeasurements),
        Reader("decision", "json", json.dumps(decided.as_json()).encode(), read_decision),
        Reader("summary", "json", json.dumps(shown.as_json()).encode(), read_summary),
        Reader("job record", "json", json.dumps({"format_version": FORMAT_VERSION, **job}).encode(), read_job_record),
        Reader("load test", "json", json.dumps(loaded).encode(), read_load_test),
        Reader(
            "manifest",
            "json",
            made["made.json"],
            lambda file: read_manifest(file, kind="onnx"),
            is_own(json.loads(made["made.json"])),
            "made.json",
            made,
        ),
        Reader(
            "forged manifest",
            "json",
            made["made.json"],
            lambda file: read_manifest(file, kind="onnx"),
            file="made.json",
            beside=made,
            change=_resealed,
        ),
        Reader(
            "calibration cache",
            "json",
            caches[CACHE_FILE],
            lambda file: read_cache(file.parent),
            file=CACHE_FILE,
            change=_resealed,
        ),
        Reader(
            "package manifest",
            "json",
            packages[NAME],
            lambda file: read_package(file.parent),
            file=NAME,
            beside=packages,
            change=_resealed,
        ),
        Reader("signature", "json", signature.as_json().encode(), read_signature),
        filed_reader("records.json", "json"),
        filed_reader("jobs.json", "json"),
        filed_reader("lists.jsonl.xz", "bytes"),
    ]


def _traces() -> list[Reader]:
    """What libraries say that they executed."""
    from temper.engines.layers import layers_of_listing
    from temper.engines.tensorrt_build import inspect_engine
    from temper.load_test.summary import logged_errors, parse_summary

    def inspected(file: Path) -> Any:
        inspector = SimpleNamespace(get_engine_information=lambda form: file.read_text(errors="replace"))
        library = SimpleNamespace(LayerInformationFormat=SimpleNamespace(JSON=0))
        return inspect_engine(library, SimpleNamespace(create_engine_inspector=lambda: inspector))  # type: ignore[arg-type]

    tensor = {"Name": "x", "Dimensions": [1, 4], "Format/Datatype": "Row major linear FP16"}
    layer = {
        "Name": "product",
        "LayerType": "gemm",
        "Inputs": [tensor],
        "Constants": [],
        "Outputs": [tensor],
        "Metadata": "[ONNX Layer: m]",
    }
    listing = (
        "Layers:\nName: product, LayerType: gemm, Inputs: [ { Name: x, Dimensions: [1,4], Datatype: Half }], Outputs: \
[ { Name: y, Dimensions: [1,2], Datatype: Half }], TacticName: t\n\n"
    )
    summary = (
        "SUT name : x\nScenario : Server\nMode     : Performance\nScheduled samples per second : 99.5\nResult is : VALID\n\
  Min duration satisfied : Yes\n50.00 percentile latency (ns) : 123456\n"
    )
    detail = ':::MLLOG {"key": "error", "value": "too slow", "is_error": true}\n'
    return [
        Reader(
            "inspector",
            "json",
            json.dumps({"Layers": [layer]}).encode(),
            inspected,
        ),
        Reader(
            "listing", "bytes", listing.encode(), lambda file: layers_of_listing([file.read_text(errors="replace")])
        ),
        Reader(
            "LoadGen's summary", "bytes", summary.encode(), lambda file: parse_summary(file.read_text(errors="replace"))
        ),
        Reader(
            "LoadGen's detail", "bytes", detail.encode(), lambda file: logged_errors(file.read_text(errors="replace"))
        ),
    ]


def _whole_checkpoints() -> list[Reader]:
    """A checkpoint as a run loads it: transformers, tokenizers and safetensors together."""
    from tests.user_checkpoint import save_checkpoint

    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    whole = _made(lambda folder: save_checkpoint(folder / "m"), *(f"m/{name}" for name in names))

    def load(file: Path) -> Any:
        from temper.data.examples import Examples
        from temper.data.preprocessing import build_preprocessor
        from temper.study.sections.model import CheckpointModel
        from temper.training.model import initial_model

        options = CheckpointModel(
            task="text-classification", source="checkpoint", checkpoint=str(file.parent), revision=None
        )
        examples = Examples(origin="here", labels=[0, 1], texts=[("a charming film",), ("dull",)])
        preprocessor = build_preprocessor(options, examples)
        preprocessor.encode(examples, 16)
        signature = preprocessor.signature(("negative", "positive"))
        with tempfile.TemporaryDirectory() as scratch:
            preprocessor.save(scratch)
            return initial_model(
                options, signature, Path(scratch), longest=preprocessor.max_tokens(16), fresh_head=True
            )

    forms = {
        "config.json": "json",
        "model.safetensors": "bytes",
        "tokenizer.json": "json",
        "tokenizer_config.json": "json",
    }
    return [
        Reader(
            f"checkpoint with {name}", forms[name], whole[f"m/{name}"], load, file=f"m/{name}", beside=whole, heavy=True
        )
        for name in names
    ]


def readers(*, heavy: bool) -> list[Reader]:
    """All of them; with `heavy` those whose libraries take seconds to import, too."""
    light = [
        *_settings(),
        *_checkpoints(),
        *_tables(),
        *_images(),
        *_records(),
        *_traces(),
        *server_readers(_tokenizer(), picture("PNG")),
    ]
    return [*light, *(_whole_checkpoints() if heavy else [])]
