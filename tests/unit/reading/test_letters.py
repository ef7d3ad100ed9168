import pytest

from temper.errors import DataError
from temper.reading.letters import for_a_spreadsheet, for_a_terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a film", "a film"),
        ("\x1b[2J", "\\u001b[2J"),
        ("a\u202eb", "a\\u202eb"),
        ("\ud800", "\\ud800"),
        ("caf\u00e9 \U0001f600", "caf\u00e9 \U0001f600"),
    ],
)
def test_a_terminal_obeys_nothing_of_a_text(text, shown):
    assert for_a_terminal(text) == shown


def test_an_error_keeps_its_lines_and_nothing_else_that_a_terminal_obeys():
    said = str(DataError(asked="read \x1b]0;x\x07", happened="line one\nline two", affected="nothing", fix="\x9b2J"))
    assert "line one\nline two" in said
    assert not {"\x1b", "\x07", "\x9b"} & set(said)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("=1+1", "'=1+1"), ("@a", "'@a"), ("-2+3", "'-2+3"), ("-2.5 %", "'-2.5 %"), ("-2.5", "-2.5"), ("a", "a")],
)
def test_a_spreadsheet_computes_nothing_of_a_text(text, shown):
    assert for_a_spreadsheet(text) == shown
