from temper.load_test.record import LoadTestRecord
from temper.report.load_tests import load_test_markdown, load_test_rows, served_rows

SAME = {"backend": "cpu", "loads": "onnx/int8", "workload": "b1-real", "latency_bound_ms": 100.0}
SERVED = {
    "rows_of_a_call": 12,
    "tokens_of_a_call": 768,
    "connections": 64,
    "samples": 872,
    "labels_differing": 3,
    "server_processor_ms_per_sample": 2.5,
    "client_processor_ms_per_sample": 0.25,
}


def load_test(name, scenario, rate, *, p50=2.0, through=None, measured=True, bound=100.0):
    row = {**SAME, "scenario": scenario, "latency_percentile": 95.0, "latency_bound_ms": bound, "through": through}
    if name == "old":  # taken before there was anything in between
        del row["through"]
    run = {"samples_per_s": rate, "samples": 700, "latency_percentiles_ms": {"50": p50, "99": 9.0}}
    result = {"valid": True, "run": run, "rate_per_s": rate} | ({"served": SERVED} if through else {})
    return LoadTestRecord(
        schema_version=1,
        load_test=name,
        status="measured" if measured else "not measured",
        reason=None if measured else "the machine was busy",
        row=row,
        backend={},
        result=result if measured else None,
        machine={},
        gpus=[],
        conditions_before={},
        conditions_after={},
        versions={},
        source_digest="",
    )


def test_what_goes_through_a_server_stands_beside_the_same_traffic_on_the_runner():
    records = [
        load_test("loose", "server", 900.0, bound=500.0),
        load_test("old", "server", 400.0),
        load_test("http", "server", 300.0, through="http"),
        load_test("one", "single_stream", 250.0, p50=2.0),
        load_test("one-http", "single_stream", 200.0, p50=2.62, through="http"),
        load_test("alone", "offline", 500.0, through="http"),
        load_test("lost", "offline", 0.0, through="http", measured=False),
    ]
    took = ["2.50", "0.25", "3 of 872"]
    assert served_rows(records) == [
        ["http", "old", "300.0", "75 %", "–", *took],
        ["one-http", "one", "200.0", "80 %", "0.62", *took],
        ["alone", "–", "500.0", "–", "–", *took],
    ]
    assert [cells[3] for cells in load_test_rows(records[1:3])] == ["server", "server through http"]
    assert "| http | old | 300.0 | 75 % |" in load_test_markdown(records)


def test_a_study_without_a_server_has_one_table():
    assert load_test_markdown([load_test("old", "server", 400.0)]).count("\n") == 3
