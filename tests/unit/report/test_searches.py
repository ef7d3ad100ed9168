import pytest

from temper.artifacts.manifest import write_manifest
from temper.quantization.record import SEARCH_FILE
from temper.report.searches import SHOWN, layers_table, trials_table


def layer(name, gain, multiplications=25):
    return {"layer": {"name": name}, "multiplications": multiplications, "loss": 0.0125, "gain": gain}


def trial(kept, flips, why, within):
    distance = {"flips": flips, "rows": 40, "mean_logit_difference": 0.031}
    return {"kept": kept, "float_share": len(kept) / 4, "distance": distance, "within": within, "why": why}


@pytest.fixture
def search(tmp_path):
    layers = [layer("first", -0.001), layer("second", 0.02), layer("third", 0.03, 50)]
    trials = [trial([], 3, "all quantised", False), trial(["second"], 0, "the first 1 in float", True)]
    facts = {"layers": layers, "trials": trials, "chosen": trials[1], "keep_in_float": ["second"]}
    write_manifest(tmp_path / SEARCH_FILE, kind="search", facts=facts)
    return tmp_path


def test_layers_stand_by_gain(search):
    assert layers_table(search).splitlines() == [
        "| layer | chosen | multiplications, % | quantised alone: loss | left out: gain |",
        "| --- | --- | ---: | ---: | ---: |",
        "| `third` | quantised | 50.00 | +0.0125 | +0.0300 |",
        "| `second` | in float | 25.00 | +0.0125 | +0.0200 |",
        "| `first` | quantised | 25.00 | +0.0125 | −0.0010 |",
    ]


def test_only_the_largest_gains_are_shown(tmp_path):
    many = [layer(f"l{n}", n / 1000) for n in range(SHOWN + 5)]
    write_manifest(tmp_path / SEARCH_FILE, kind="search", facts={"layers": many, "keep_in_float": []})
    lines = layers_table(tmp_path).splitlines()[2:]
    assert len(lines) == SHOWN
    assert lines[0].startswith(f"| `l{SHOWN + 4}` |")


def test_trials_stand_in_their_order_and_the_choice_is_named(search):
    assert trials_table(search).splitlines()[2:] == [
        "| 1 | all quantised | beyond | 0 | 0.0 | 3 of 40 | 0.0310 |",
        "| 2 | the first 1 in float | within, chosen | 1 | 25.0 | 0 of 40 | 0.0310 |",
    ]
