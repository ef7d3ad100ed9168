"""What a person reads of the choice."""

from dataclasses import replace

import pytest

from temper.reading.typed import as_typed, typed_study
from temper.report.decide import decision_words
from temper.report.decide.decision_words import loss_in_words, offered_budget, remeasure_command
from temper.statistics.paired_labels import Flips
from tests.records import compared, record


@pytest.mark.parametrize(("points", "offered"), [(0.762, 0.8), (0.8, 0.8), (1.0001, 1.1), (5.66, 5.7), (0.05, 0.1)])
def test_the_offered_budget_is_the_next_tenth(points, offered):
    assert offered_budget(points) == offered


def test_a_loss_is_bounded_with_the_labels_that_it_rests_on():
    alike = compared([record("base"), record("own")], "base").candidates["own"].paired
    paired = replace(alike, counted=Flips(1500, 1400, 0, 0, 0, 100), loses_at_most_points=0.2456)
    assert (
        loss_in_words(paired, "base") == "no label of 1,500 differs from base's, so it loses at most 0.25 points (95 %)"
    )
    assert loss_in_words(replace(paired, counted=Flips(1500, 1400, 3, 0, 0, 97)), "base") == (
        "3 of 1,500 labels differ from base's, by which it loses at most 0.25 points (95 %)"
    )


def test_the_command_that_measures_anew_names_the_studys_folder(tmp_path, monkeypatch):
    study = tmp_path / "studies/mine"
    study.mkdir(parents=True)
    monkeypatch.setattr(decision_words, "checkout_of", lambda: tmp_path)
    monkeypatch.chdir(study)
    assert remeasure_command() == "make remeasure STUDY=mine"
    monkeypatch.chdir(tmp_path)
    assert remeasure_command() == "make remeasure"
    found = study / "optimize/latency b1"
    found.mkdir(parents=True)
    monkeypatch.chdir(found)
    assert remeasure_command() == "temper run -C 'studies/mine/optimize/latency b1' --again remeasure"
    with typed_study("../latency b1"):
        assert (
            as_typed(f"then {remeasure_command()} again")
            == "then temper run -C '../latency b1' --again remeasure again"
        )
    monkeypatch.setattr(decision_words, "checkout_of", lambda: tmp_path / "another")
    assert remeasure_command() == "snakemake --cores 1 --forcerun remeasure"
