from temper.measurement.record import NotMeasured
from temper.publish.summary_table import HEADER, summary_tables
from tests.records import compared, record, workload

OUT = "out of memory: CUDA out of memory"
BATCHES = {f"b{size}-s8": workload([1.0, 2.0, 30.0], sizes=(size, 8)) for size in (16, 4)}
RECORDS = [
    record("base", workloads=BATCHES),
    record("large", workloads={**BATCHES, "b16-s8": NotMeasured(reason=OUT)}),
    record("gpu", workloads=BATCHES, reason="no NVIDIA GPU"),
]


def lines(page, workload_name):
    """Cells of one workload's table by candidate and column."""
    part = page.partition(f"## {workload_name}")[2].partition("## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in row] for row in rows if not row[0].strip().startswith("---")]
    return {row[0]: dict(zip(HEADER, row, strict=True)) for row in cells}, part


def test_each_workload_has_its_table_the_smallest_batch_first():
    page = summary_tables(RECORDS, compared(RECORDS, "base"), "## {}")
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## b4-s8: batch 4, 8 tokens",
        "## b16-s8: batch 16, 8 tokens",
    ]
    found, _ = lines(page, "b4-s8")
    assert found["base"] == {
        "candidate": "base",
        "executed products": "–",
        "p50 ms": "2.00",
        "p95 ms": "30.0",
        "mean ms": "11.0",
        "samples/s": "900",
        "×": "1.000 [0.980, 1.020]",
        "verdict": "tie",
    }


def test_what_was_not_measured_is_a_dash_with_its_reason_below_the_table():
    page = summary_tables(RECORDS, compared(RECORDS, "base"), "## {}")
    found, part = lines(page, "b16-s8")
    assert {found["large"][column] for column in HEADER[2:]} == {"–"}
    assert f"- large: not measured: {OUT}\n- gpu: not measured: no NVIDIA GPU\n" in part
    assert "large: not measured" not in lines(page, "b4-s8")[1]


def test_where_it_ran_stands_above_the_tables_once():
    page = summary_tables(RECORDS, compared(RECORDS, "base"), "## {}")
    assert page.startswith("On cpu: onnxruntime 1.5.\n\n## b4-s8")
    assert page.count("onnxruntime") == 1


def test_a_study_in_which_nothing_was_measured_has_its_reasons():
    page = summary_tables(RECORDS[2:], compared(RECORDS[2:], "base"), "## {}")
    assert "## b4-s8\n" in page
    assert "- gpu: not measured: no NVIDIA GPU" in page
