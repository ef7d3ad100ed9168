import json

import pytest

from temper.artifacts.manifest import sha256
from temper.errors import BusyError, ConfigError
from temper.orchestration import run_lock
from temper.orchestration.clean import clean, look
from temper.orchestration.job_record import JobRecord, record_path, write_job_record

MADE = ("data/prepared/test.parquet", "artifacts/onnx/fp32/model.onnx", "artifacts/measurements/a.json")
UNRECORDED = (
    "artifacts/runtime_cache/a/kernels.bin",
    "artifacts/comparison/comparison.html",
    "artifacts/onnx/.gitignore",
    "logs/report.log",
    "logs/measure/a.log",
)
THEIRS = ("artifacts/comparison/notes.md", "artifacts/onnx/fp32/notes.txt", "logs/mine.log", "logs/measure/notes.txt")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (*MADE, *UNRECORDED, *THEIRS, "data/raw/train.tsv", ".snakemake/log/a.log"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    for rule, row, outputs in (("convert", "fp32", MADE[:2]), ("measure", "a", MADE[2:])):
        write_job_record(JobRecord(rule, row, {}, {}, {path: sha256(path) for path in outputs}))
    return tmp_path


def test_what_job_records_vouch_for_is_tempers_and_an_edit_is_not(folder):
    found = look()
    assert found.others == sorted(THEIRS)
    records = [record_path("convert", "fp32"), record_path("measure", "a")]
    assert sorted(found.made) == sorted([*MADE, *UNRECORDED, *records])
    assert found.measurements == 1
    (folder / MADE[1]).write_text("mine")
    (folder / records[1]).write_text("{")  # torn: it vouches for nothing
    assert set(look().others) == {*THEIRS, MADE[1], MADE[2], records[1]}


def test_without_agreement_it_says_what_would_go_and_nothing_does(folder):
    before = sorted(folder.rglob("*"))
    with pytest.raises(ConfigError) as caught:
        clean(agreed=False)
    assert caught.value.happened.startswith("10 files (0.0 MiB) would go, 1 measurements among them")
    assert "--yes" in caught.value.fix
    assert sorted(folder.rglob("*")) == before


def test_with_it_only_what_temper_made_goes(folder):
    said = clean(agreed=True)
    assert said[0].startswith("removed 10 files")
    assert said[1].startswith("4 files stay, for no job made them as they are: artifacts/comparison/notes.md")
    left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert left == sorted([*THEIRS, "data/raw/train.tsv"])
    assert not (folder / "data/prepared").exists()
    assert clean(agreed=False)[0] == "there is nothing that Temper made"


def test_a_run_that_goes_on_keeps_its_files(folder):
    run_lock.hold()
    note = {**json.loads(run_lock.HOLDER.read_text()), "pid": 1, "host": "elsewhere"}
    run_lock.HOLDER.write_text(json.dumps(note))
    with pytest.raises(BusyError):
        clean(agreed=True)
    assert (folder / MADE[0]).exists()
