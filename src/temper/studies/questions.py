"""What a command still needs to know: given by a flag, asked on the terminal, or taken as suggested."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from temper.errors import ConfigError

Value = TypeVar("Value")
_WITHOUT_DASHES = {"name": "it first: temper init NAME"}


class Questions:
    """Flags that were given, and how to ask for the others.

    Args:
        given: value of each flag by its name without dashes; None where it was not given.
        suggested_without_asking: take every suggestion (--yes).
        ask: prints a question and returns a line; raises EOFError where nobody is there.
    """

    def __init__(
        self, given: Mapping[str, Any], *, suggested_without_asking: bool, ask: Callable[[str], str] = input
    ) -> None:
        self._given, self._silent, self._ask = given, suggested_without_asking, ask

    def answer(
        self,
        flag: str,
        question: str,
        read: Callable[[str], Value],
        suggestion: str | None = None,
        *,
        enter: str | None = None,
        values: str = "",
    ) -> Value:
        """The value of a flag.

        Args:
            flag: its name without dashes.
            question: what is asked where it was not given.
            read: makes the value of an answer; ValueError says what is wrong with one that was typed.
            suggestion: what an empty answer means, and no answer; None where there is nothing to suggest.
            enter: what an empty answer means where no answer means nothing: somebody has to say it, if only by Enter.
            values: what is to stand behind the flag, for the error.

        Raises:
            ConfigError: it was not given and cannot be asked, or what was given is wrong.
        """
        given = self._given.get(flag.replace("-", "_"))
        if given is not None:
            return self._read(flag, str(given), read)
        if self._silent and suggestion is not None:
            return self._read(flag, suggestion, read)
        default = suggestion if suggestion is not None else enter
        while True:
            try:
                typed = self._ask(f"{question}{f' [{default}]' if default else ''}: ").strip()
            except EOFError:
                if suggestion is not None:
                    print(suggestion, file=sys.stderr)  # beside the question that nobody answered
                    return self._read(flag, suggestion, read)
                print(file=sys.stderr)  # the question has no line end
                raise ConfigError(
                    asked=f"make a study: {question}",
                    happened="it was not given, and nobody is there to be asked",
                    affected="nothing: no study was made",
                    fix=f"give {_WITHOUT_DASHES.get(flag, f'--{flag}{values}')}",
                ) from None
            try:
                return read(typed or default or "")
            except ValueError as error:
                print(f"  {error}", file=sys.stderr)

    def agree(
        self,
        flag: str,
        question: str,
        suggestion: str | None = None,
        *,
        enter: str | None = None,
        values: str = " yes, or no",
    ) -> bool:
        """The answer to a question of yes or no, as `answer`; Enter alone means yes or no in any case.

        Raises:
            ConfigError: as `answer`.
        """
        return self.answer(flag, f"{question} (yes/no)", yes_or_no, suggestion, enter=enter or "no", values=values)

    def given(self, flag: str) -> str | None:
        """What was given for a flag, as it was typed; None where it was not."""
        found = self._given.get(flag.replace("-", "_"))
        return None if found is None else str(found)

    def refuse(self, flags: Iterable[str], why: str) -> None:
        """Refuse flags that would count for nothing.

        Raises:
            ConfigError: one of them was given.
        """
        for flag in flags:
            if self._given.get(flag.replace("-", "_")) is not None:
                raise ignored(flag, why)

    def _read(self, flag: str, text: str, read: Callable[[str], Value]) -> Value:
        try:
            return read(text)
        except ValueError as error:
            raise ConfigError(
                asked=f"make a study with --{flag} {text}",
                happened=str(error),
                affected="nothing: no study was made",
                fix=f"correct --{flag}",
            ) from None


def ignored(flag: str, why: str) -> ConfigError:
    """A flag was given that would count for nothing."""
    return ConfigError(
        asked=f"make a study with --{flag}",
        happened=why,
        affected="nothing: no study was made",
        fix=f"leave out --{flag}",
    )


def one_of(values: list[str]) -> Callable[[str], str]:
    """Reads one of these values."""

    def read(text: str) -> str:
        if text not in values:
            raise ValueError(f"there is no {text!r}; there are {', '.join(map(repr, values))}")
        return text

    return read


def some_of(values: list[str], most: int) -> Callable[[str], list[str]]:
    """Reads one of these values, or up to `most` of them with commas between."""

    def read(text: str) -> list[str]:
        if text in values:
            return [text]
        found = [one_of(values)(part.strip()) for part in text.split(",")] if most > 1 and "," in text else []
        if not found:
            one_of(values)(text)
        if len(found) > most or len(set(found)) < len(found):
            raise ValueError(f"{text!r} is not up to {most} different ones of {', '.join(map(repr, values))}")
        return found

    return read


def number(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number from `low` to `high`."""

    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"{text!r} is no whole number from {low:,} to {high:,}")
        return int(text)

    return read


def yes_or_no(text: str) -> bool:
    """Reads yes or no."""
    if text.lower() not in ("yes", "no", "y", "n"):
        raise ValueError(f"{text!r} is neither yes nor no")
    return text.lower().startswith("y")
