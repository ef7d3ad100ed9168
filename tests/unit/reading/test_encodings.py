import pytest

from temper.reading.encodings import wide_letters


@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"])
def test_letters_of_several_bytes_are_told_with_and_without_a_mark(encoding):
    text = "text,label\na film,1\n"
    assert wide_letters(text.encode(encoding)) == encoding
    assert wide_letters(f"\ufeff{text}".encode(encoding)) == encoding[:6]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_others_are_not(encoding):
    assert wide_letters("a “film”,1\n".encode(encoding)) is None
