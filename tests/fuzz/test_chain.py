"""Corrupted checkpoints, tables and images through what a run does with them: a message in four parts, or the right answer."""

import functools
import io
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temper.artifacts.signature import read_signature
from temper.data.encoded import read_split
from temper.data.prepare import prepare_data
from temper.training.checkpoint import make_checkpoint
from tests.fuzz.judge import Reader, case, judge, told
from tests.user_checkpoint import ROWS, save_checkpoint

CASES = 200
TRAIN = {"method": "none"}
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
MODEL = {"task": "text-classification", "source": "checkpoint", "checkpoint": "m", "revision": None}
IMAGES = {
    "task": "image-classification",
    "source": "architecture",
    "model_type": "vit",
    "config": {"image_size": 8, "patch_size": 4},
    "preprocessor": {"kind": "image_processor", "height": 8, "width": 8, "mean": [0.5] * 3, "std": [0.5] * 3},
}


def table(form: str) -> bytes:
    """Twenty labelled rows."""
    rows = [
        (f'a "good", film {number}' if number % 2 else f"dull café {number}", str(number % 2)) for number in range(20)
    ]
    if form == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = io.BytesIO()
        pq.write_table(pa.table({"text": [text for text, _ in rows], "label": [label for _, label in rows]}), file)
        return file.getvalue()
    if form == "jsonl":
        return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows).encode()
    if form == "csv":
        quoted = (f'"{text.replace(chr(34), chr(34) * 2)}",{label}\n' for text, label in rows)
        return ("text,label\n" + "".join(quoted)).encode()
    return ("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)).encode()


def data(form: str) -> dict[str, Any]:
    file = {"path": f"rows.{form}", "columns": None}
    return {
        "source": "files",
        "format": form,
        "quoting": {"csv": True, "tsv": False}.get(form),
        "train": file,
        "validation": None,
        "test": file,
        "text": ["text"],
        "label": "label",
        "label_names": ["0", "1"],
        "validation_rows": 4,
        "calibration_rows": 4,
        "max_tokens": 16,
    }


def prepared(section: dict[str, Any], model: dict[str, Any]) -> Callable[[Path], Any]:
    """Rows as a run prepares them, from the folder of a file: labels, and inputs that are finite numbers."""

    def read(file: Path) -> Any:
        import os

        top = next(each for each in file.parents if (each / "top").exists())
        os.chdir(top)
        prepare_data(data=section, model=model, seed=1, folder="prepared")
        signature = read_signature("prepared/signature.json")
        return read_split("prepared/test.parquet", signature)

    return read


def whole(split: Any) -> bool:
    """Whether every row has a label of the set, and numbers."""
    return (
        len(split) > 0
        and set(split.labels.tolist()) <= {0, 1}
        and all(np.isfinite(row).all() for rows in split.inputs.values() for row in rows)
    )


@functools.cache
def kept(folder: str) -> dict[str, bytes]:
    """Files of a checkpoint of a user, below m/."""
    made = save_checkpoint(Path(folder), ("0", "1"))
    return {f"m/{name}": (made / name).read_bytes() for name in FILES}


def taken(file: Path) -> Any:
    """A checkpoint taken as it is: prepared data, its network, and what it answers on validation rows."""
    split = prepared(data("tsv"), MODEL)(file)
    make_checkpoint(data_folder="prepared", folder="checkpoint", model=MODEL, train=TRAIN, seed=1, source="x")
    history = json.loads(Path("checkpoint/training_history.json").read_text())
    return split, history["validation"]


def readers(folder: Path) -> dict[str, list[Reader]]:
    rows = "text\tlabel\n" + "".join(f"{text}\t{int(label == 'positive')}\n" for text, label in ROWS)
    checkpoint = {**kept(str(folder)), "top": b"", "rows.tsv": rows.encode()}
    forms = {
        "config.json": "json",
        "tokenizer.json": "json",
        "tokenizer_config.json": "json",
        "model.safetensors": "bytes",
    }
    tables, pictures = {}, {}
    for form in ("tsv", "csv", "jsonl", "parquet"):
        tables[form] = Reader(
            f"table {form}",
            "bytes",
            table(form),
            prepared(data(form), MODEL),
            whole,
            file=f"rows.{form}",
            beside={**kept(str(folder)), "top": b""},
        )
    for form in ("png", "jpeg", "bmp"):
        files = {f"images/{label}/{n}.{form}": picture(form, 40 * n) for label in "01" for n in range(6)}
        section = {
            "source": "image_folder",
            "train": "images",
            "validation": None,
            "test": None,
            "test_share": 0.34,
            "label_names": ["0", "1"],
            "validation_rows": 2,
            "calibration_rows": 2,
            "max_tokens": None,
        }
        pictures[form] = Reader(
            f"image {form}",
            "bytes",
            picture(form, 7),
            prepared(section, IMAGES),
            whole,
            file=f"images/0/0.{form}",
            beside={**files, "top": b""},
        )
    return {
        "checkpoint": [
            Reader(
                f"checkpoint {name}",
                forms[name],
                checkpoint[f"m/{name}"],
                taken,
                lambda found: whole(found[0]) and 0 <= found[1]["accuracy"] <= 1,
                file=f"m/{name}",
                beside=checkpoint,
            )
            for name in FILES
        ],
        "table": list(tables.values()),
        "image": list(pictures.values()),
    }


def picture(form: str, grey: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(grey).integers(0, 255, (9, 9, 3), dtype=np.uint8)).save(file, form)
    return file.getvalue()


@pytest.mark.long
@pytest.mark.parametrize(("kind", "cases"), [("checkpoint", 80), ("table", 64), ("image", 56)])
def test_two_hundred_corrupted_inputs_end_in_a_message_or_the_right_answer(tmp_path, record_property, kind, cases):
    own = readers(tmp_path / "checkpoint")[kind]
    for reader in own:
        outcome = judge(reader, reader.content, tmp_path / "whole")
        assert outcome.kind == "right", (reader.name, outcome)
        shutil.rmtree(tmp_path / "whole")
    found, faults = Counter[str](), []
    for number in range(cases):
        reader = own[number % len(own)]
        content = case(reader, number // len(own))
        outcome = judge(reader, content, tmp_path / "case")
        shutil.rmtree(tmp_path / "case")
        found[outcome.kind] += 1
        if outcome.kind == "wrong":
            faults.append(told(reader, number // len(own), content, outcome))
    record_property("outcomes", dict(found))
    print(kind, dict(found))
    assert faults == []
    assert found["refused"] > cases / 10
