import os

import pytest

from temper.reading.bounded import (
    MOST_DEPTH,
    Unreadable,
    check_depth,
    check_letters,
    read_bytes,
    read_text,
    whole_number,
)


def test_an_ordinary_file_is_read_whole_and_one_byte_more_is_too_much(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert read_bytes(tmp_path / "a", 3) == b"abc"
    with pytest.raises(Unreadable, match="more than 2 bytes"):
        read_bytes(tmp_path / "a", 2)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "b")


def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path / "pipe", "a pipe"), ("/dev/zero", "a device")):
        with pytest.raises(Unreadable, match=words):
            read_bytes(path)
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path)
    with pytest.raises(Unreadable, match="path cannot be one"):
        read_bytes("a\0b")


def test_text_is_utf_8(tmp_path):
    (tmp_path / "a").write_bytes("caf\u00e9".encode("latin-1"))
    with pytest.raises(Unreadable, match="not UTF-8"):
        read_text(tmp_path / "a")


def test_lists_and_tables_lie_in_each_other_to_a_depth():
    inner: object = 1
    for _ in range(MOST_DEPTH - 1):
        inner = [inner]
    check_depth({"a": inner})
    with pytest.raises(Unreadable, match="nested more than"):
        check_depth([{"a": inner}])


def test_numbers_and_letters_are_what_they_are_anywhere():
    assert whole_number("-12") == -12
    with pytest.raises(Unreadable, match="41 digits"):
        whole_number("1" * 41)
    check_letters(r'"\ud83d\ude00 \u00e9"')
    with pytest.raises(Unreadable, match="surrogate pair"):
        check_letters(r'"\ud83d"')
