"""Corrupted files and requests of every outside format: each is answered rightly or refused in words, within bounds.

`make long-test` has 10,000 of them. One that failed is kept in found/ as it was, and stays a test.
"""

import functools
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.judge import Reader, case, judge, told
from tests.fuzz.readers import readers

EVERY_CHANGE, LONG = 300, 10_000
FOUND = sorted(Path(__file__).with_name("found").glob("*/*"))


@functools.cache
def known(*, heavy: bool) -> dict[str, Reader]:
    return {reader.name: reader for reader in readers(heavy=heavy)}


def counted(own: list[Reader], total: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Outcomes of so many cases, and what of them is a fault."""
    found, faults = Counter[str](), []
    for number in range(total):
        reader = own[number % len(own)]
        content = case(reader, number // len(own))
        place = folder / "case"
        outcome = judge(reader, content, place)
        shutil.rmtree(place)
        found[outcome.kind] += 1
        if outcome.kind == "wrong":
            faults.append(told(reader, number // len(own), content, outcome))
    return found, faults


def test_a_whole_file_of_each_format_is_read(tmp_path):
    for number, reader in enumerate(known(heavy=False).values()):
        outcome = judge(reader, reader.content, tmp_path / str(number))
        assert outcome.kind == "right", (reader.name, outcome)


def test_corrupted_files_are_answered_rightly_or_refused_in_words(tmp_path, record_property):
    found, faults = counted(list(known(heavy=False).values()), EVERY_CHANGE, tmp_path)
    record_property("outcomes", dict(found))
    assert faults == []
    assert found["refused"] > EVERY_CHANGE / 4  # the corruptions reach what is checked


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_ten_thousand_corrupted_files(tmp_path, record_property, part):
    own = list(known(heavy=True).values())
    own = own[part::10]
    found, faults = counted(own, LONG // 10, tmp_path)
    record_property("outcomes", dict(found))
    assert faults == []


def of_long(file: Path) -> Any:
    """What transformers reads takes seconds to import."""
    marks = [pytest.mark.long] if file.parent.name.startswith("checkpoint_with") else []
    return pytest.param(file, marks=marks, id=f"{file.parent.name}/{file.name}")


@pytest.mark.parametrize("file", [of_long(file) for file in FOUND])
def test_what_was_once_a_fault_stays_none(file, tmp_path):
    reader = known(heavy=file.parent.name.startswith("checkpoint_with"))[file.parent.name.replace("_", " ")]
    assert judge(reader, file.read_bytes(), tmp_path / "case").kind != "wrong"
