"""Text from outside as a terminal and a spreadsheet may be given it."""

import re
import unicodedata

_OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format, halves of pairs, separators of lines and paragraphs
_PLAIN = re.compile(r"[\x20-\x7e]*")


def for_a_terminal(text: str, kept: str = "") -> str:
    """A text without what a terminal would obey: control characters, and marks that turn the writing round, as their numbers.

    Args:
        text: from outside.
        kept: characters that stay all the same, such as the ends of lines.
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(
        character if character in kept or unicodedata.category(character) not in _OBEYED else f"\\u{ord(character):04x}"
        for character in text
    )


def for_a_spreadsheet(text: str) -> str:
    """A text as a spreadsheet shows it: one that would be a formula there has an apostrophe before it; numbers stay."""
    if text[:1] in ("=", "@", "\t", "\r") or (text[:1] in ("+", "-") and not re.fullmatch(r"[+-][0-9.,]+%?", text)):
        return f"'{text}"
    return text
