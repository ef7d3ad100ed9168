import pytest

from temper.report.decide.decision import decide
from temper.report.formats import ABSENT
from temper.report.summary_markdown import markdown, table
from temper.report.tables import rows
from tests.records import compared, record, workload

RECORDS = [
    record("base", predictions=[0, 1, 1, 0], latencies_ms=[1.0, 2.0, 30.0]),
    record("other", predictions=[0, 0, 1, 1], cut_rows=3),
    record("gpu", reason="no NVIDIA GPU"),
    record("harness", predictions=None),
]


def page_of(records):
    against = compared(records, "base")
    return markdown(records, against, decide(records, against))


def cells(page):
    page = page.partition("One file on several runtimes")[0]
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    return {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:]}


def test_the_markdown_table_has_one_line_per_candidate_in_the_order_of_the_records():
    found = cells(page_of(RECORDS))
    assert list(found) == [each.candidate for each in RECORDS]
    assert found["base"] == {
        "candidate": "base",
        "library": "onnxruntime 1.5",
        "artifact": "onnx/fp32",
        "executed products": ABSENT,
        "size MiB": "3.00",
        "accuracy %": "100.00",
        "difference, points": "+0.00 [+0.00, +0.00]",  # the baseline against itself
        "flips": "0",
        "accuracy": "within",
        "b1 p50 ms": "2.00",
        "b1 p95 ms": "30.0",
        "b1 ×": "1.000 [0.980, 1.020]",
        "b1 verdict": "tie",
        "b1 samples/s": "900",
    }
    assert (found["other"]["accuracy %"], found["other"]["flips"]) == ("50.00", "2")


def test_what_was_not_measured_is_a_dash_and_a_note():
    page = page_of(RECORDS)
    line = cells(page)["gpu"]
    dashes = {name for name, cell in line.items() if cell == ABSENT}
    assert dashes == set(line) - {"candidate", "library", "artifact", "size MiB"}
    assert "- gpu: not measured: no NVIDIA GPU\n" in page
    harness = cells(page)["harness"]
    assert (harness["accuracy %"], harness["b1 p50 ms"]) == (ABSENT, "2.00")
    assert "- harness: accuracy not measured: the backend computes no logits\n" in page


def test_the_page_names_the_machine_and_the_choice():
    page = page_of(RECORDS)
    assert "Measured on A CPU, 2 cores." in page
    assert "- b1: base, the baseline itself, accuracy 100.00 %" in page


def test_real_lengths_have_a_table_of_their_own_where_there_are_any():
    assert "at its own length" not in page_of(RECORDS)
    timed = workload([1.0, 1.0, 7.0], real_lengths="arrival", computed_padding_share=0.5)
    page = page_of([record("base", workloads={"arrival": timed})])
    assert "Every test sentence at its own length:\n\n| candidate | artifact | workload |" in page
    assert "- base, arrival: 50.0 % of the tokens it computes are padding, 25.0 % of those it is given\n" in page


@pytest.mark.parametrize(
    ("latency", "shown"),
    [(0.001234, "0.0012"), (0.1234, "0.123"), (1.234, "1.23"), (21.34, "21.3"), (1234.5, "1234.5")],
)
def test_latencies_have_about_three_digits(latency, shown):
    records = [record("a", latencies_ms=[latency], percentiles={"50": latency})]
    header, lines = table(rows(records, compared(records, "a")))
    assert lines[0][header.index("b1 p50 ms")] == shown
    assert lines[0][header.index("b1 p95 ms")] == ABSENT  # it was not asked for


def test_a_candidate_without_a_workload_of_the_others_has_dashes_there():
    records = [record("a", workloads=["w1", "w2"]), record("b", workloads=["w2"])]
    header, lines = table(rows(records, compared(records, "a")))
    assert lines[1][header.index("w1 p50 ms")] == ABSENT
    assert lines[1][header.index("w2 p50 ms")] == "2.00"


def test_where_the_rows_differ_in_length_the_latency_shown_is_the_one_of_the_ratio():
    timed = workload([1.0, 1.0, 7.0], real_lengths="arrival")
    records = [record("a", workloads={"w": timed})]
    header, lines = table(rows(records, compared(records, "a")))
    assert lines[0][header.index("w mean ms")] == "3.00"
    assert "w p50 ms" not in header


def test_the_choice_stands_before_the_table_and_what_matters_first_behind_it():
    page = page_of(RECORDS)
    assert page.index("Which to serve, within 0.5 points of base:") < page.index("| candidate |")
    assert page.index("| candidate |") < page.index("What the tables cannot show:")
    assert page.index("- other: accuracy undecided") < page.index("- gpu: not measured: no NVIDIA GPU")
