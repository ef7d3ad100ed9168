import pytest

from temper.errors import ConfigError
from temper.params_file import check_unique_keys


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "'a' stands twice, the second time at line 3"),
        ("rows:\n  x: {k: 1}\n  x: {k: 2}\n", "'x' stands twice, the second time at line 3"),
        ("rows:\n  - {k: 1, k: 2}\n", "'k' stands twice, the second time at line 2"),
        ("a: [1, 2\n", "is not valid YAML"),
        ("a: b: c\n", "is not valid YAML"),
        ("a: 1\n? [1, 2]\n: 3\n", "the key at line 2 is a list or a mapping"),
    ],
)
def test_a_repeated_key_or_broken_yaml_is_refused(tmp_path, text, message):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        check_unique_keys(tmp_path / "params.yaml")
    assert message in caught.value.happened
    assert caught.value.fix


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_bytes("study: caf\xe9\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        check_unique_keys(tmp_path / "params.yaml")


def test_the_same_key_in_different_rows_is_fine(tmp_path):
    (tmp_path / "params.yaml").write_text("a: {k: 1}\nb: {k: 1}\nc: &c {k: 1}\nd: *c\n")
    check_unique_keys(tmp_path / "params.yaml")
