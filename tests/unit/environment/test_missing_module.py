"""Which imports that fail are a person's to mend."""

import pytest

from temper.environment.missing_module import missing_module


def told(error):
    return missing_module(error, "build a file", "this file")


def test_a_librarys_module_is_named_in_four_parts():
    error = told(ModuleNotFoundError("No module named 'nncf.torch'", name="nncf.torch"))
    assert (error.asked, error.affected) == ("build a file", "this file")
    assert "nncf.torch, which is not installed" in error.happened
    assert "requirements/cpu.txt" in error.fix


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'temper.gone'", name="temper.gone"),
        ModuleNotFoundError("no name"),
        ImportError("cannot import name 'a' from 'b'", name="b"),
        ValueError("nncf"),
    ],
)
def test_any_other_error_is_not(error):
    assert told(error) is None
