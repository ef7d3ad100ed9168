import pytest
import yaml
from ruamel.yaml import YAML

from temper.errors import ConfigError
from temper.reading.yaml_file import Dumper
from temper.study.params_file import edited, load_params, parse_params, read_params, with_value


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
        load_params(tmp_path / "params.yaml")
    assert message in caught.value.happened
    assert caught.value.fix


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_bytes("study: caf\xe9\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_params(tmp_path / "params.yaml")


def test_the_same_key_in_different_rows_is_fine(tmp_path):
    (tmp_path / "params.yaml").write_text("a: {k: 1}\nb: {k: 1}\nc: &c {k: 1}\nd: *c\n")
    load_params(tmp_path / "params.yaml")


AS_YAML_1_2 = {
    "2e-05": 2e-05,
    "2.0e-5": 2e-05,
    "1e3": 1000.0,
    "1E+3": 1000.0,
    ".5": 0.5,
    "5.": 5.0,
    "-.5e-1": -0.05,
    "-17": -17,
    "010": 10,
    "0o17": 15,
    "0x1F": 31,
    "true": True,
    "False": False,
    "null": None,
    "~": None,
    "": None,
    **{
        text: text
        for text in ("yes", "no", "on", "off", "Y", "n", "1:30", "0b1", "1.6.1.120", "e3", ".", "2026-11-30", "tRUE")
    },
}


@pytest.mark.parametrize("text", AS_YAML_1_2, ids=repr)
def test_a_value_is_what_yaml_1_2_says_as_dvc_reads_it(text):
    (found,) = parse_params(f"a: [{text or '~'}]\n")["a"]
    assert (type(found), found) == (type(AS_YAML_1_2[text]), AS_YAML_1_2[text])
    if text not in ("0b1", "2026-11-30"):  # ruamel adds these two to YAML 1.2
        assert YAML(typ="safe").load(f"a: [{text or '~'}]\n")["a"] == [found]


def test_numbers_stay_numbers_and_text_stays_text_through_dvc(tmp_path):
    file = tmp_path / "params.yaml"
    content = {"rate": 2e-05, "label_names": ["no", "yes", "2e-05", "010", "1e3", "true", ""]}
    file.write_text(yaml.dump(content, Dumper=Dumper))
    assert load_params(file) == content
    again = edited(file.read_text(), lambda study: study.update(rate=3e-05))  # as `dvc exp run -S` writes it
    assert "rate: 3e-05\n" in again
    assert parse_params(again) == {**content, "rate": 3e-05}


def test_files_are_merged_as_snakemake_merges_them(tmp_path):
    first, second = tmp_path / "params.yaml", tmp_path / "more.yaml"
    first.write_text("seed: 1\ntrain: {rate: 2e-5, epochs: 3}\n")
    second.write_text("train: {epochs: 1}\n")
    assert read_params([first, second], {"seed": 5}) == {"seed": 5, "train": {"rate": 2e-05, "epochs": 1}}
    assert read_params([first], {}) == {"seed": 1, "train": {"rate": 2e-05, "epochs": 3}}
    second.write_text("- 1\n")
    with pytest.raises(ConfigError, match="holds no keys"):
        read_params([first, second], {})


TEXT = """# a study
train: {rate: 5.0e-4, epochs: 3}   # of the weights
calibrations:
  main: {method: nncf, samples: 128, onnx: fp32}
backends:
  cpu:
    options: {threads: 2, name: "a: b"}
    empty:
"""


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("train.rate", "2e-05", "train: {rate: 2e-05, epochs: 3}   # of the weights"),
        ("calibrations.main.method", "minmax", "  main: {method: minmax, samples: 128, onnx: fp32}"),
        ("backends.cpu.options.name", "c", "    options: {threads: 2, name: c}"),
        ("backends.cpu.options.threads", "null", '    options: {threads: null, name: "a: b"}'),
    ],
)
def test_one_value_is_replaced_and_no_other_byte(key, value, line):
    changed = with_value(TEXT, key, value)
    before, after = TEXT.splitlines(), changed.splitlines()
    assert [new for old, new in zip(before, after, strict=True) if old != new] == [line]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.absent", "1"),
        ("train", "1"),
        ("train.rate.more", "1"),
        ("train.rate", "[1, 2]"),
        ("train.epochs", "3, more: 4"),
        ("calibrations.main.method", "{a: 1}"),
        ("calibrations.main.method", "'"),
    ],
)
def test_what_is_no_single_value_is_left_to_dvc(key, value):
    assert with_value(TEXT, key, value) is None


BOMB = "a0: &a0 {k: 1, l: 2}\n" + "".join(f"a{n}: &a{n} {{k: *a{n - 1}, l: *a{n - 1}}}\n" for n in range(1, 40))
MERGED = "a0: &a0 {k0: 1}\n" + "".join(f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n  k{n}: 1\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "its anchors (&name, *name) stand for more than 100,000 values"),
        (MERGED, "its anchors (&name, *name) stand for more than 100,000 values"),
        ("a: &a [*a]\n", "stand for more than"),
        ("[" * 3000, "nested too deeply"),
        ("{a: " * 3000, "nested too deeply"),
        (f"a: {'9' * 5000}\n", "the number at line 1 has 5,000 digits"),
        ("x: 1\na: .inf\n", "the number at line 2 is .inf"),
        ("a: -.Inf\n", "the number at line 1 is -.Inf"),
        ("a: .nan\n", "the number at line 1 is .nan"),
        ("a: 1e999\n", "the number at line 1 is 1e999"),
        ("a: 1\n---\nb: 2\n", "is not valid YAML"),
        ("a: '" + "x" * 1_000_001 + "'\n", "1,000,000 is the most that is read"),
        ("a: \x00\n", "is not valid YAML"),
    ],
    ids=range(13),
)
def test_what_would_take_for_ever_or_is_no_number_is_refused_in_words(tmp_path, text, words):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_params(tmp_path / "params.yaml")
    assert words in caught.value.happened


def test_a_file_of_another_width_or_none_is_refused_in_words(tmp_path):
    (tmp_path / "params.yaml").write_bytes("study: x\n".encode("utf-16"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_params(tmp_path / "params.yaml")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_params(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_params(tmp_path)
