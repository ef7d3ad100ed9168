from pathlib import Path

import pytest

from temper.errors import ArtifactError
from temper.publish.peers import pairs_markdown, peers_markdown
from temper.report.filed import FiledStudy
from tests.records import compared, record, workload


def timed(name, **ratios):
    return record(name, workloads={at: workload([1.0], ratio=ratio) for at, ratio in ratios.items()})


def study(*records):
    rows = {each.candidate: {"backend": each.candidate, "loads": "onnx/fp32"} for each in records}
    params = {
        "candidates": rows,
        "baseline": {"backend": "base", "loads": "onnx/fp32"},
        "workloads": {"b1": {}, "b12": {}},
    }
    return FiledStudy(Path("results/gpu/tiny"), params, records, compared(records, "base"))


BASE = timed("base", b1=(1.0, 0.99, 1.01), b12=(1.0, 0.99, 1.01))
FAST = timed("fast", b1=(0.1, 0.099, 0.101), b12=(0.3, 0.29, 0.31))
SLOW = timed("slow", b1=(0.4, 0.39, 0.41))
OWN = timed("own", b1=(0.05, 0.049, 0.051), b12=(0.6, 0.59, 0.61))


def cells(page):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()[2:]]


def test_each_workload_is_held_against_its_fastest_peer():
    found = cells(peers_markdown(study(BASE, FAST, SLOW, OWN), ["fast", "slow"]))
    assert [line[:3] for line in found] == [
        ["b1", "fast", "own"],
        ["b1", "fast", "fast"],
        ["b1", "fast", "base"],
        ["b12", "fast", "fast"],
        ["b12", "fast", "own"],
        ["b12", "fast", "base"],
    ]
    assert found[0][3].startswith("0.500 [0.4")
    assert found[0][4].startswith("20.00 [")
    assert found[1][3] == "1"


def test_the_baseline_can_be_the_peer_and_gains_be_counted_from_another_candidate():
    page = peers_markdown(study(BASE, SLOW, OWN), ["base"], over="slow")
    assert page.splitlines()[0].endswith("| times faster than slow |")
    found = cells(page)
    assert [line[:4] for line in found] == [
        ["b1", "base", "own", "0.050 [0.049, 0.051]"],
        ["b1", "base", "slow", "0.400 [0.390, 0.410]"],
        ["b1", "base", "base", "1"],
        ["b12", "base", "own", "0.600 [0.590, 0.610]"],
        ["b12", "base", "base", "1"],
    ]
    assert found[0][4].startswith("8.00 [7.7")
    assert found[2][4] == "0.40 [0.39, 0.41]"
    assert found[3][4] == "–"  # it did not run there
    with pytest.raises(ArtifactError, match="it has no candidate none"):
        peers_markdown(study(BASE, SLOW), ["base"], over="none")


def test_what_was_not_measured_or_computes_nothing_is_no_candidate():
    lost = record("lost", reason="no NVIDIA GPU", workloads={})
    null = record("null", predictions=None, workloads={"b1": workload([1.0], ratio=(0.001, 0.001, 0.001))})
    apart = timed("apart", b1="the baseline could not be run")
    found = cells(peers_markdown(study(BASE, FAST, lost, null, apart), ["fast", "lost"]))
    assert {line[2] for line in found} == {"fast", "base"}


def test_the_fastest_of_the_others_can_stand_alone():
    found = cells(peers_markdown(study(BASE, FAST, SLOW, OWN), ["fast"], fastest_alone=True))
    assert [line[:3] for line in found] == [["b1", "fast", "own"], ["b12", "fast", "own"]]


def test_peers_have_to_be_named():
    with pytest.raises(ArtifactError, match="names no peers"):
        peers_markdown(study(BASE, FAST), [])


def test_an_unknown_peer_is_refused():
    with pytest.raises(ArtifactError, match="it has no candidate faster"):
        peers_markdown(study(BASE, FAST), ["faster"])


def disturbed(name, **ratios):
    """A candidate beside which the baseline took 3 ms; in the others it takes 2."""
    made = timed(name, **ratios)
    moved = {at: own.model_copy(update={"baseline_latencies_ms": [3.0]}) for at, own in made.workloads.items()}
    return made.model_copy(update={"workloads": moved})


def test_a_disturbed_candidate_is_no_fastest_peer_and_comes_last_with_the_word():
    quick = disturbed("quick", b1=(0.01, 0.009, 0.011), b12=(0.01, 0.009, 0.011))
    found = cells(peers_markdown(study(BASE, FAST, quick), ["fast", "quick"]))
    assert [line[1:] for line in found if line[0] == "b1"] == [
        ["fast", "fast", "1", "10.00 [9.90, 10.10]"],
        ["fast", "base", "10.000 [9.901, 10.101]", "1.00 [1.00, 1.00]"],
        ["fast", "quick", "disturbed", "disturbed"],
    ]
    assert cells(peers_markdown(study(BASE, FAST, quick), ["quick"])) == [
        ["b1", "disturbed", "–", "–", "–"],
        ["b12", "disturbed", "–", "–", "–"],
    ]
    assert [line[2] for line in cells(peers_markdown(study(BASE, FAST, quick), ["base"], fastest_alone=True))] == [
        "fast",
        "fast",
    ]


def test_a_pair_with_a_disturbed_candidate_has_the_word_in_the_place_of_figures():
    quick = disturbed("quick", b1=(0.01, 0.009, 0.011))
    assert cells(pairs_markdown(study(BASE, FAST, quick), ["quick/fast", "fast/quick"])) == [
        ["quick", "fast", "disturbed", "–"],
        ["fast", "quick", "disturbed", "–"],
    ]


def test_pairs_are_held_against_each_other_where_both_ran():
    page = pairs_markdown(study(BASE, FAST, SLOW, OWN), ["own/fast", "slow/fast", "fast/base"])
    assert page.splitlines()[0] == "| candidate | beside | b1 × | b12 × |"
    found = cells(page)
    assert [line[:2] for line in found] == [["own", "fast"], ["slow", "fast"], ["fast", "base"]]
    assert found[0][2].startswith("0.500 [0.4")
    assert found[0][3].startswith("2.000 [1.9")
    assert found[1][3] == "–"  # slow did not run there
    assert found[2][2] == "0.100 [0.099, 0.101]"  # the baseline beside itself is 1, without an interval of its own


@pytest.mark.parametrize("pairs", [[], ["own"], ["own/fast/slow"]])
def test_what_is_no_pair_is_refused(pairs):
    with pytest.raises(ArtifactError, match="are no pairs"):
        pairs_markdown(study(BASE, FAST, SLOW, OWN), pairs)


def test_a_pair_of_an_unknown_candidate_is_refused():
    with pytest.raises(ArtifactError, match="it has no candidate faster"):
        pairs_markdown(study(BASE, FAST), ["fast/faster"])
