import pytest

from temper.reading.bounded import Unreadable
from temper.reading.json_file import parse_json, read_json, read_object


def test_a_document_is_read_as_the_standard_library_reads_it(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1, 2.5, null, true, "\u00e9"]}')
    assert read_json(tmp_path / "a.json") == read_object(tmp_path / "a.json") == {"a": [1, 2.5, None, True, "\u00e9"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 200_000, "nested too deeply"),
        ("[" * 100 + "]" * 100, "nested more than"),
        ("NaN", "NaN"),
        ('{"a": -Infinity}', "-Infinity"),
        ("9" * 5000, "5,000 digits"),
        ('{"a": 1e999}', "1e999"),
        ("9" * 400 + ".0", "beyond every number"),
        ('{"\\ud800": 1}', "surrogate pair"),
    ],
    ids=range(10),
)
def test_what_is_beyond_the_bounds_is_refused_in_words(text, words):
    with pytest.raises(Unreadable, match=words):
        parse_json(text)


def test_a_table_is_asked_for_where_a_table_is_needed(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(Unreadable, match="holds a list"):
        read_object(tmp_path / "a.json")
