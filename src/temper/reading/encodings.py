"""Encodings that a file of text may have where UTF-8 is expected, told by its bytes."""

_MARKS = {  # the longer first: that of UTF-32 begins as UTF-16's does
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def wide_letters(start: bytes) -> str | None:
    """What iconv calls the encoding of a text whose letters take two or four bytes.

    Args:
        start: the text's first bytes; a mark tells it, or how many of them are zero.

    Returns:
        UTF-16 or UTF-32, with the order of its bytes where no mark says it; None for any other.
    """
    marked = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    if marked is not None or start.count(0) <= len(start) // 4:
        return marked
    # without a mark iconv takes one order of bytes for granted, so it is named: the zeros stand before Latin letters, or after
    name = "UTF-32" if start.count(0) > len(start) * 5 // 8 else "UTF-16"
    return f"{name}{'BE' if start[:1] == bytes(1) else 'LE'}"
