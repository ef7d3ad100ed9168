import pytest

from temper.cli.command import one_by_one


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["--columns", "a", "b", "-C", "x"], ["--columns", "a", "--columns", "b", "-C", "x"]),
        (["a film", "--columns", "a"], ["a film", "--columns", "a"]),
        (["--columns=a", "b"], ["--columns=a", "b"]),
        (
            ["--columns", "-1", "1", "--", "--columns", "x", "y"],
            ["--columns", "-1", "--columns", "1", "--", "--columns", "x", "y"],
        ),
        (["--columns", "a", "-", "b"], ["--columns", "a", "-", "b"]),  # - is what comes from standard input
        (["--name", "a", "b"], ["--name", "a", "b"]),
    ],
)
def test_values_behind_one_option_are_read_one_by_one(given, read):
    assert one_by_one(given, {"--columns"}) == read
