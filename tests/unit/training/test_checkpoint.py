import json
import os
import subprocess
import sys

import pytest

from temper.artifacts.manifest import read_manifest, sha256
from temper.errors import ArtifactError
from temper.training.checkpoint import make_checkpoint
from tests.tiny_study import MODEL, SEED, TRAIN

MADE = {
    "config.json", "model.safetensors", "signature.json", "tokenizer.json", "tokenizer_config.json",
    "training_history.json",
}  # fmt: skip


def test_the_folder_holds_what_the_next_rules_load(tiny_study):
    manifest = read_manifest(tiny_study.checkpoint / "checkpoint.json", kind="checkpoint")
    assert set(manifest["files"]) == MADE
    assert manifest["seed"] == SEED
    assert manifest["train"] == TRAIN
    read = ("train.parquet", "validation.parquet", "signature.json")  # and no test row: those train nothing anew
    assert manifest["made_from"] == {name: sha256(tiny_study.data / name) for name in read}
    history = json.loads((tiny_study.checkpoint / "training_history.json").read_text())
    assert len(history["epochs"]) == TRAIN["epochs"]
    config = json.loads((tiny_study.checkpoint / "config.json").read_text())
    assert config["id2label"] == {"0": "negative", "1": "positive"}


@pytest.mark.long  # the killed run of tests/workflow/test_exactness.py ends with the same bytes
def test_the_same_seed_in_another_process_and_folder_gives_equal_bytes(tiny_study, tmp_path):
    call = {
        "model": MODEL,
        "train": TRAIN,
        "seed": SEED,
        "data_folder": str(tiny_study.data),
        "folder": str(tmp_path / "again"),
    }
    code = "import json, sys; from temper.training.checkpoint import make_checkpoint as m; m(**json.loads(sys.argv[1]))"
    environment = {**os.environ, "PYTHONHASHSEED": "12"}
    subprocess.run([sys.executable, "-c", code, json.dumps(call)], check=True, env=environment, capture_output=True)
    for name in sorted(MADE | {"checkpoint.json"}):
        assert (tmp_path / "again" / name).read_bytes() == (tiny_study.checkpoint / name).read_bytes(), name


def test_another_seed_gives_another_model(tiny_study, tmp_path):
    make_checkpoint(
        model=MODEL, train=TRAIN, seed=SEED + 1, data_folder=str(tiny_study.data), folder=str(tmp_path / "other")
    )
    assert sha256(tmp_path / "other/model.safetensors") != sha256(tiny_study.checkpoint / "model.safetensors")


def test_no_file_names_a_place_of_this_machine(tiny_study, tmp_path):
    section = {"task": "text-classification", "source": "checkpoint", "revision": None}
    make_checkpoint(
        model={**section, "checkpoint": str(tiny_study.checkpoint)},
        train={"method": "none"},
        seed=SEED,
        data_folder=str(tiny_study.data),
        folder=str(tmp_path / "taken"),
    )
    for path in (tmp_path / "taken").iterdir():
        assert str(tiny_study.checkpoint.parent).encode() not in path.read_bytes(), path.name
        assert str(tmp_path).encode() not in path.read_bytes(), path.name


def test_an_altered_signature_stops_it_and_nothing_is_written(tiny_study, copy_of, tmp_path):
    folder = copy_of(tiny_study.data)
    (folder / "signature.json").write_text((folder / "signature.json").read_text().replace("negative", "Negative"))
    with pytest.raises(ArtifactError, match=r"signature\.json"):
        make_checkpoint(model=MODEL, train=TRAIN, seed=SEED, data_folder=str(folder), folder=str(tmp_path / "made"))
    assert not (tmp_path / "made").exists()
