import os
import subprocess
import sys

import pytest

from temper.data.synthetic import Options, load

SIZES = {"source": "synthetic", "validation_rows": 10, "calibration_rows": 10, "max_tokens": 48}


def options(**changes) -> Options:
    return Options(**{**SIZES, "train_rows": 4000, "test_rows": 1000, "label_noise": 0.05, **changes})


def test_rows_are_equal_in_every_process():
    code = f"""
import hashlib
from temper.data.synthetic import Options, load
s = load(Options(**{SIZES!r}, train_rows=200, test_rows=50, label_noise=0.1), 3)
print(hashlib.sha256(repr((s.train.texts, s.train.labels, s.test.texts)).encode()).hexdigest())"""
    digests = {
        subprocess.check_output([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_sentences_vary_in_length_and_train_and_test_hardly_overlap():
    splits = load(options(), 17)
    words = [len(text.split()) for (text,) in splits.train.texts]
    assert min(words) >= 3
    assert 30 <= max(words) <= 45
    assert len(set(splits.test.texts) & set(splits.train.texts)) < 0.03 * len(splits.test)
    assert 0.45 < sum(splits.train.labels) / len(splits.train) < 0.55


def test_label_noise_turns_the_stated_share_and_leaves_texts_alone():
    clean, noisy = load(options(label_noise=0.0), 17).train, load(options(label_noise=0.2), 17).train
    same = [text for text, other in zip(clean.texts, noisy.texts, strict=True) if text == other]
    turned = sum(label != other for label, other in zip(clean.labels, noisy.labels, strict=True))
    assert len(same) == len(clean)
    assert 0.17 < turned / len(clean) < 0.23


@pytest.mark.parametrize("key", ["train_rows", "label_noise", "validation_rows", "max_tokens"])
def test_no_key_has_a_default(key: str):
    values = {**SIZES, "train_rows": 10, "test_rows": 10, "label_noise": 0.0}
    del values[key]
    with pytest.raises(ValueError, match=rf"{key}\n  Field required"):
        Options(**values)
