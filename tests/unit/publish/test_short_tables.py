"""Short forms for pages: six columns, choices in sentences, claims beside what was measured, a figure in a sentence."""

import pytest

from temper.errors import ArtifactError, ConfigError
from temper.publish.short_tables import choices_list, claims_table, short_table, speed_words
from temper.report.reported import Reported
from tests.unit.publish.committed import READ, ROOT, filled

FOLDER = "results/cpu-2c-epyc/embedded"
STUDY = READ(ROOT / FOLDER)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_six_columns_the_fastest_first_and_the_reasons_of_what_was_not_measured_below():
    table = short_table(STUDY, "b1-s32")
    header, _, *lines = [line for line in table.splitlines() if line.startswith("|")]
    assert cells(header)[:2] == ["b1-s32", "ran in"]
    assert {len(cells(line)) for line in lines} == {6}
    speeds = [float(cells(line)[2].split()[0]) for line in lines]
    assert speeds == sorted(speeds, reverse=True)
    assert "**ort-int8-dynamic**" in table  # chosen
    assert "Not measured: rtx-fp32, rtx-fp16, rtx-int8: no NVIDIA GPU" in table
    assert "harness" not in table


def test_only_the_candidates_that_are_named():
    lines = short_table(STUDY, "b8-s32", ["torch-fp32", "openvino-fp32"]).splitlines()
    assert [cells(line)[0] for line in lines[2:]] == ["**openvino-fp32**", "torch-fp32"]


@pytest.mark.parametrize(("workload", "candidates"), [("b99", []), ("b1-s32", ["nobody"])])
def test_what_has_no_record_is_an_error(workload, candidates):
    with pytest.raises(ArtifactError, match="correct the mark"):
        short_table(STUDY, workload, candidates)


def test_a_line_for_each_workload_in_their_order():
    lines = choices_list(STUDY).splitlines()
    assert [line.split("**")[1] for line in lines] == ["b1-s32", "b8-s32"]
    assert lines[1].startswith("- **b8-s32**: openvino-fp32, 1.61 × [1.58, 1.65] as fast as torch-fp32")


def claimed(candidate: str, at_least: float, at_most: float) -> Reported:
    own = {"title": "INT8", "candidate": candidate, "over": "torch-fp32", "at_least": at_least, "at_most": at_most}
    return Reported.model_validate({"source": "a page", "speed_ups": [own]})


def test_a_claim_stands_beside_what_was_measured_and_says_at_how_many_sizes_it_holds():
    (line,) = claims_table(STUDY, claimed("openvino-int8", 2.5, 5)).splitlines()[2:]
    assert cells(line) == ["INT8", "2.5–5 ×", "2.22 × (b8-s32) to 2.71 × (b1-s32)", "confirmed at 1, refuted at 1"]
    (line,) = claims_table(STUDY, claimed("openvino-fp32", 1, 1)).splitlines()[2:]
    assert cells(line)[2:] == ["1.61 × [1.58, 1.65]", "disturbed at 1, beaten at 1"]


def test_what_was_withdrawn_is_named_where_its_candidate_is_shown():
    folder = "results/cpu-2c/sst2-minilm-2693"
    both = "".join(
        f"<!-- short table of {folder} for b12-s64 {names} -->\n<!-- end of table -->\n"
        for names in ("openvino-int8 openvino-int8-entropy", "openvino-int8")
    )
    first, second = filled(both, ROOT).split("<!-- end of table -->\n")[:2]
    assert "Withdrawn on 2026-11-30: accuracy and labels of openvino-int8-entropy" in first
    assert "Withdrawn" not in second


def test_claims_of_another_study_are_an_error():
    with pytest.raises(ConfigError, match="none of their candidates"):
        claims_table(STUDY, claimed("nobody", 1, 2))


def test_a_figure_in_a_sentence_is_written_anew_and_none_rests_on_what_is_disturbed():
    mark = f"<!-- speed of {FOLDER} for openvino-int8 at b1-s32 -->"
    assert (
        filled(f"It is {mark}9 ×<!-- end --> as fast.", ROOT) == f"It is {mark}2.71 × [2.68, 2.75]<!-- end --> as fast."
    )
    with pytest.raises(ArtifactError, match="the figure is disturbed"):
        speed_words(STUDY, "openvino-fp32", "b1-s32")
    with pytest.raises(ArtifactError, match="no record there"):
        speed_words(STUDY, "nobody", "b1-s32")
