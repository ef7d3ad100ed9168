import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from temper.data.hub import Options, load
from temper.errors import DataError

KEYS: dict[str, Any] = {
    "source": "hub",
    "validation_rows": 2,
    "calibration_rows": 2,
    "max_tokens": 16,
    "name": "stanfordnlp/sst2",
    "config": None,
    "revision": None,
    "splits": {"train": "train", "validation": None, "test": "test"},
    "text": ["sentence"],
    "label": "label",
}


def test_a_hub_out_of_reach_is_an_error_and_not_asked_for_minutes(monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there, also where a network is
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)  # before it tries again, as `datasets` does for minutes
    with pytest.raises(DataError, match=r"dataset 'stanfordnlp/sst2'[\s\S]*data.source: files"):
        load(Options(**KEYS), 1)
    assert sum(slept) < 15


def test_label_names_come_from_the_features(tmp_path: Path):
    code = f"""
import datasets
from temper.data.hub import Options, load
from temper.errors import DataError
names = datasets.ClassLabel(names=["bad", "fine"])
features = datasets.Features({{"sentence": datasets.Value("string"), "label": names}})
rows = datasets.Dataset.from_dict({{"sentence": ["x", "y", "z"], "label": [0, 1, 1]}}, features=features)
for split in ("train", "test"):
    rows.to_parquet("local/" + split + ".parquet")
keys = {KEYS!r} | {{"name": "local"}}
splits = load(Options(**keys), 1)
print(splits.label_names, splits.train.texts, splits.test.labels)
for changes in ({{"label": "sentence"}}, {{"label": "stars"}}, {{"splits": keys["splits"] | {{"test": "exam"}}}}):
    try:
        load(Options(**keys | changes), 1)
    except DataError as error:
        print(error.happened)
"""
    home = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    (tmp_path / "local").mkdir()
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "('bad', 'fine') [('x',), ('y',), ('z',)] [0, 1, 1]"
    assert "names no classes" in lines[1]
    assert "no column 'stars'; it has 'sentence', 'label'" in lines[2]
    assert "exam" in lines[3]
