import json

import pytest

from temper.training.checkpoint_config import read_config, remote_code


def written(tmp_path, text):
    file = tmp_path / "config.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "holds a list"),
        ("7", "holds a int"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' * 100_000, "nested too deeply"),
        ('{"n": ' + "9" * 5000 + "}", "digits"),
        ("{", "Expecting"),
        ("caf\xe9".encode("latin-1"), "not UTF-8"),
        ('{"num_hidden_layers": 10000000}', "num_hidden_layers is 10,000,000, and 1,000 is the most"),
        ('{"n_layer": 1001}', "n_layer is 1,001"),
        ('{"num_labels": 1000000000}', "num_labels is 1,000,000,000, and 100,000 is the most"),
        ('{"text_config": {"n_layers": 5000}}', "n_layers is 5,000"),
        ('{"depths": [2, 2000]}', "depths is 2,000"),
        ('{"hidden_size": 1000000000000}', "hidden_size is 1,000,000,000,000"),
    ],
)
def test_what_no_network_has_is_said_in_words(tmp_path, text, words):
    with pytest.raises(ValueError, match=words):
        read_config(written(tmp_path, text))


def test_a_config_of_a_network_is_read(tmp_path):
    content = {
        "model_type": "bert",
        "num_hidden_layers": 24,
        "use_cache": True,
        "vocab_size": 250_000,
        "depths": [3, 4],
    }
    assert read_config(written(tmp_path, json.dumps(content))) == content


def test_a_large_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("temper.training.checkpoint_config.MOST_BYTES", 5)
    with pytest.raises(ValueError, match="more than 5 bytes"):
        read_config(written(tmp_path, "{}    "))


@pytest.mark.parametrize(
    ("given", "said"), [({"AutoModel": "a.B"}, "a.B"), (["a.B"], "['a.B']"), ("a.B", "a.B"), (None, None)]
)
def test_code_of_its_own_is_named_in_any_shape(given, said):
    assert remote_code({"auto_map": given}) == said
