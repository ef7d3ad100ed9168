"""What `temper compare` prints and writes, over experiments made by hand; tests/workflow/test_experiments.py runs DVC's."""

import json
import re
from pathlib import Path

import pytest

from temper.comparison import compare as module
from temper.comparison.compare import compare
from temper.comparison.experiments import FOLDER, Experiment
from temper.errors import ExperimentError
from tests.unit.comparison.experiments import ALMOST, FEW, MANY, experiment, wrong

NOTHING = Experiment("failed", {}, {}, {}, "it has no results")


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Puts experiments where git and DVC would be asked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "of_earlier_commits", lambda: "samples128 (of 1234567)")

    def put(*experiments):
        monkeypatch.setattr(module, "read_experiments", lambda names: list(experiments))

    return put


def test_experiments_are_printed_and_written_with_every_pair_and_a_plot(found, capsys):
    found(FEW, MANY, ALMOST, NOTHING)
    compare([])
    printed = capsys.readouterr().out
    assert "| many | 64 | int8 | 98.50 a |" in printed
    assert "| many − few | +13.50 [" in printed
    assert "· failed: not compared: it has no results" in printed
    assert "samples128" not in printed  # this commit has experiments of its own
    content = json.loads(Path(FOLDER, "comparison.json").read_text())
    assert [(row["experiment"], row["better_than"], row["worse_than"]) for row in content["rows"]] == [
        ("many", [2], []),
        ("almost", [2], []),
        ("few", [], [0, 1]),
    ]
    assert content["rows"][2]["labels_differing"] == 30
    assert content["rows"][2]["changed"] == {"calibrations.main.samples": 8}
    assert [pair["shown"] for pair in content["accuracy_pairs"]] == ["not told apart", "differs", "differs"]
    assert content["latency_pairs"][0]["ratio"] == pytest.approx(0.8 / 0.51)
    assert Path(FOLDER, "comparison.md").read_text().startswith("# Experiments\n")
    assert "</html>" in Path(FOLDER, "comparison.html").read_text()


@pytest.mark.parametrize(("columns", "below"), [("80", True), ("200", False)])
def test_settings_that_a_terminal_has_no_room_for_in_the_table_stand_below_it(
    found, capsys, monkeypatch, columns, below
):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # rich's word for a terminal
    names = [f"percentile-of-{n}-samples" for n in (1, 2)]
    found(*(experiment(name, wrong(*range(n)), samples=n, method=f"method{n}") for n, name in enumerate(names)))
    compare([])
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= int(columns)
    said = f"{names[0]}: samples 0, method method0"
    assert (said in lines) == below
    assert any(" samples " in line and "candidate" in line for line in lines) != below


def test_of_many_pairs_the_surest_are_printed_and_the_page_has_all(found, capsys):
    found(*(experiment(f"e{n}", wrong(*range(n)), samples=n) for n in range(5)))
    compare([])
    assert "… and 4 pairs more: artifacts/comparison/comparison.md" in capsys.readouterr().out
    assert Path(FOLDER, "comparison.md").read_text().count("not told apart |") == 10


def test_a_study_without_experiments_has_its_candidates_compared_and_earlier_experiments_named(found, capsys):
    found(FEW)
    compare([])
    printed = capsys.readouterr().out
    assert printed.startswith("# Candidates of tiny\n")
    assert "| base − int8 | +15.00 [" in printed
    assert (
        "No experiment starts from this commit; those of earlier ones can be named: samples128 (of 1234567)." in printed
    )


def test_what_experiments_cost_is_told_and_written(found, capsys):
    found(FEW, MANY)
    compare(["few", "many"], {"cost": {"jobs_run": 14}, "notes": ["2 experiments, 14 jobs in 3 s"]})
    assert "· 2 experiments, 14 jobs in 3 s" in capsys.readouterr().out
    content = json.loads(Path(FOLDER, "comparison.json").read_text())
    assert content["cost"] == {"jobs_run": 14}
    assert "2 experiments, 14 jobs in 3 s" in content["notes"]


def test_where_there_is_nothing_to_compare_the_error_says_why_and_what_there_is(found):
    found(NOTHING)
    with pytest.raises(ExperimentError) as caught:
        compare([])
    assert caught.value.happened == "failed: not compared: it has no results"
    assert caught.value.fix.endswith("experiments of earlier commits can be named: samples128 (of 1234567)")
    found(FEW, experiment("again", wrong(*range(30))))
    compare([])  # two candidates, each identical in both
    assert not Path(FOLDER, "comparison.json").read_text().count('"experiment": "few"')
