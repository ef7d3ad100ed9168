import pytest

from temper.cli.entry import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--minutes", "0"], "give --minutes a number above 0"),
        (["--budget-points", "-1"], "give --budget-points a number above 0"),
        (["--p99-ms", "nan"], "give --p99-ms a number above 0"),
        (["--target", "cost", "--price-per-hour", "0"], "give --price-per-hour a number above 0"),
        ([], "name a study's folder, -C studies/NAME"),
    ],
)
def test_what_nothing_could_be_held_against_is_refused_before_anything_is_made(arguments, said, tmp_path, capsys):
    assert main(["optimize", "-C", str(tmp_path / "none"), *arguments]) == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_workload_that_is_not_there_is_refused_with_those_that_are(tmp_path, capsys):
    from shutil import copy

    copy("tests/workflow/params.tiny.yaml", tmp_path / "params.yaml")
    assert main(["optimize", "-C", str(tmp_path), "--workload", "b9"]) == 1
    said = capsys.readouterr().err
    assert "the study has b2-s16" in said
    assert "fix:" in said
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
