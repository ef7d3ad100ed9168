import pytest

from temper.errors import ConfigError
from temper.study.params_lines import naming_lines
from temper.study.refusal import params_error

TEXT = """\
study: mine
seeed: 3

data:
  source: files
  label_names: [negative, positive]
calibrations:
  main: {method: nncf, rows: {label: postive}}
workloads:
- a
- b
"""


def said(tmp_path, happened, text=TEXT):
    file = tmp_path / "params.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError) as caught, naming_lines(file):
        raise params_error(happened, "correct it")
    assert caught.value.fix == "correct it"
    return caught.value.happened


@pytest.mark.parametrize(
    ("happened", "where"),
    [
        ("calibrations.main.rows.label is 'postive', but the labels are negative, positive", "line 8"),
        ("data.label_names.1 should be a text", "line 6"),
        ("seeed is an unknown key", "line 2"),
        ("data.label is missing", "line 4"),  # where its section begins
        ("seeed is an unknown key; data.source is 'file', which is not one of files", "lines 2, 5"),
        ("workloads.1 should be a table", "line 11"),
    ],
)
def test_the_line_of_a_key_is_named(tmp_path, happened, where):
    assert said(tmp_path, happened) == f"{happened} (params.yaml, {where})"


@pytest.mark.parametrize(
    ("happened", "text"),
    [
        ("no entry of that name: artifacts/onnx/model.onnx", TEXT),
        ("somewhere.else is missing", TEXT),
        ("seeed is an unknown key", None),
        ("seeed is an unknown key", "a: [1"),
        ("seeed is an unknown key", ""),
    ],
)
def test_where_no_line_is_known_the_words_stay_as_they_are(tmp_path, happened, text):
    assert said(tmp_path, happened, text) == happened
