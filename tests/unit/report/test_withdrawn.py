import pytest

from temper.errors import ArtifactError
from temper.measurement.record import NotMeasured, Workload
from temper.publish.page_tables import results_table
from temper.publish.pages import filled
from temper.report.filed import read_filed_study
from temper.report.withdrawn import FILE, Withdrawal
from tests.filed import file_study
from tests.records import following, record

REASON = "withdrawn on 2026-11-30: other work ran on both cores"
ENTRY = "- {date: 2026-11-30, reason: other work ran on both cores, "


@pytest.fixture
def folder(tmp_path):
    goal = tmp_path / "results/cpu/tiny"
    timed = {"b1-s8": following([1.0, 1.5]), "b2-s8": following([3.0, 4.0])}
    file_study(goal, [record("base", workloads=timed), record("other", workloads=timed)])
    return goal


def of(folder, candidate="other"):
    return next(each for each in read_filed_study(folder).records if each.candidate == candidate)


def test_a_withdrawn_latency_is_not_measured_with_the_reason_and_answers_stay(folder):
    (folder / FILE).write_text(f"{ENTRY}candidates: [other], workloads: [b1-s8]}}\n")
    before, found = of(folder, "base"), of(folder)
    assert found.workloads["b1-s8"] == NotMeasured(reason=REASON)
    assert isinstance(found.workloads["b2-s8"], Workload)
    assert all(isinstance(each, Workload) for each in before.workloads.values())
    assert found.accuracy == before.accuracy
    assert found.cold_start == before.cold_start
    assert found.cold_start is not None


def test_all_latencies_of_all_candidates_take_the_cold_starts_with_them(folder):
    (folder / FILE).write_text(f"{ENTRY}candidates: all, workloads: all}}\n")
    for candidate in ("base", "other"):
        found = of(folder, candidate)
        assert set(found.workloads.values()) == {NotMeasured(reason=REASON)}
        assert found.cold_start is None
        assert found.accuracy.status == "measured"


def test_answers_can_be_withdrawn_and_latencies_stay(folder):
    (folder / FILE).write_text(f"{ENTRY}candidates: [other], accuracy: true}}\n")
    assert of(folder).accuracy == NotMeasured(reason=REASON)
    assert of(folder).workloads == of(folder, "base").workloads


def test_no_table_shows_what_was_withdrawn(folder, tmp_path):
    page = "<!-- table of results/cpu/tiny -->\n<!-- end of table -->\n"
    assert filled(page, tmp_path).count("| 1.00 |") == 2
    (folder / FILE).write_text(f"{ENTRY}candidates: all, workloads: [b1-s8]}}\n")
    first, second = (results_table(read_filed_study(folder), [name]) for name in ("b1-s8", "b2-s8"))
    assert "| 1.00 |" not in first
    assert "| 3.00 |" in second
    shown = filled(page, tmp_path)
    assert "| 1.00 |" not in shown
    note = "Withdrawn on 2026-11-30: latencies at b1-s8 of all candidates: other work ran on both cores."
    assert note in shown
    assert note in first
    assert "Withdrawn" not in second


def test_what_was_executed_is_shown_though_its_latency_is_not(tmp_path):
    ran = {"products_by_precision": {"INT8": 3}, "products": {"total": 3}, "conversion_time_share": 0.0}
    timed = {"b1-s8": following([1.0, 1.5], executed=ran)}
    file_study(tmp_path / "results/cpu/tiny", [record("base", workloads=timed)])
    (tmp_path / "results/cpu/tiny" / FILE).write_text(f"{ENTRY}candidates: all, workloads: all}}\n")
    for what in ("table", "labels"):
        assert "| 3 INT8 |" in filled(f"<!-- {what} of results/cpu/tiny -->\n<!-- end of table -->\n", tmp_path)


def test_a_note_names_few_candidates_and_counts_many():
    entry = Withdrawal(date="2026-11-30", reason="why", candidates=tuple("abcdef"), accuracy=True)
    assert entry.note("ab", ()) == "Withdrawn on 2026-11-30: accuracy and labels of a, b: why."
    assert entry.note("abcdefg", ()) == "Withdrawn on 2026-11-30: accuracy and labels of 6 candidates: why."
    assert entry.note("g", ()) is None


@pytest.mark.parametrize(
    ("text", "happened"),
    [
        (f"{ENTRY}candidates: [none], workloads: all}}\n", "the records have no candidate 'none'"),
        (f"{ENTRY}candidates: all, workloads: [b9-s9]}}\n", "the records have no workload 'b9-s9'"),
        (f"{ENTRY}candidates: all}}\n", "the entry of 2026-11-30 withdraws neither workloads nor accuracy"),
        (f"{ENTRY}candidates: all, latencies: all}}\n", "latencies\n  Extra inputs"),
        ("a: [", "while parsing"),
        ("", "valid tuple"),
    ],
)
def test_another_form_is_refused_and_shows_nothing(folder, text, happened):
    (folder / FILE).write_text(text)
    with pytest.raises(ArtifactError) as caught:
        read_filed_study(folder)
    assert happened in caught.value.happened
    assert "candidates (all, or names)" in caught.value.fix
