"""Each rule on records whose figures can be followed, and what becomes of an observation when a record is broken."""

import json

import pytest

from temper.measurement.record import NotMeasured, write_record
from temper.measurement.record_file import read_record
from temper.report.decide.decision import decide
from temper.report.observe.observation import Observation
from temper.report.observe.observations import observations_markdown, observe
from temper.report.render import write_summary
from tests.records import ANALYSIS, compared, record, workload

pytestmark = pytest.mark.usefixtures("made_up_figures")

INT8 = {"by_precision": {"INT8": 4, "FP32": 2}}
FP16 = {"by_precision": {"FP16": 6}}
FP32 = {"by_precision": {"FP32": 6}}
FASTEST, GROWTH, RUNTIMES = "The fastest", "Where throughput stops growing", "Another runtime, the same precision"
LOWER, FILES = "A lower precision, the same runtime", "Another file, the same runtime and precision"
TAILS, LABELS, DISTURBED, MISSING = "The slowest calls", "Labels", "Disturbed", "Not measured"


def executed(**products):
    return {
        "source": "a profile",
        "products": {"total": sum(products.values()), "quantized": products.get("INT8", 0)},
        "products_by_precision": products,
        "conversion_time_share": 0.05,
        "most_expensive_types": [],
    }


def timed(ratio, p50=2.0, *, size=2, run=None, **more):
    """A workload whose ratio to the baseline lies within one per cent of this."""
    latencies = more.pop("latencies", [p50])
    return workload(
        latencies, ratio=(ratio, 0.99 * ratio, 1.01 * ratio), executed=run or executed(FP32=6), sizes=(size, 8), **more
    )


def rate(found, samples_per_s):
    return found.model_copy(update={"throughput_samples_per_s": {"1": samples_per_s}})


def on(record_, **options):
    """The same record on another kind of backend."""
    return record_.model_copy(update={"backend": {**record_.backend, **options}})


def found(records, baseline="base"):
    against = compared(records, baseline)
    return observe(records, against, decide(records, against))


def base(**workloads):
    return record("base", backend="ort", census=FP32, workloads=workloads or {"b2": timed(1.0)})


def only(observations):
    (one,) = observations
    return one


def test_the_fastest_is_named_with_its_ratio_and_the_next():
    records = [base(), record("slow", workloads={"b2": timed(0.8)}), record("fast", workloads={"b2": timed(0.5, 1.0)})]
    one = only(found(records)[FASTEST])
    assert one.text.startswith("b2: fast is the fastest of 3: p50 1.00 ms, 0.500 [0.495, 0.505] × base's; next is slow")
    assert one.records == ("fast", "slow", "base")


def test_what_cannot_be_told_from_the_fastest_is_named():
    records = [base(), record("one", workloads={"b2": timed(0.5)}), record("other", workloads={"b2": timed(0.505)})]
    one = only(found(records)[FASTEST])
    assert "not told apart from it: other" in one.text
    assert one.records == ("one", "other", "base")


def test_the_fastest_within_the_budget_is_named_where_it_is_another():
    rows = [0, 1] * 600
    wrong = [1 - label if at < 60 else label for at, label in enumerate(rows)]
    records = [
        record("base", predictions=rows, labels=rows, workloads={"b2": timed(1.0)}),
        record("good", predictions=rows, labels=rows, workloads={"b2": timed(0.8)}),
        record("fast", predictions=wrong, labels=rows, workloads={"b2": timed(0.5)}),
    ]
    observations = found(records)
    assert (
        "chosen is good, the fastest of those whose labels are shown to be within the accuracy budget"
        in only(observations[FASTEST]).text
    )
    lost = [each for each in observations[LABELS] if each.records == ("fast", "base")]
    assert only(lost).text.startswith("fast: 60 of 1,200 labels differ from base's, the accuracy by −5.00 [")
    assert only(lost).text.endswith("points: beyond the budget of 0.5")


def test_without_a_second_candidate_nothing_is_the_fastest():
    assert FASTEST not in found([base()])


def test_throughput_that_stops_growing_and_one_that_still_grows():
    def grows(*rates):
        sizes = (1, 4, 8, 16)
        return {f"b{size}": rate(timed(1.0, size=size), each) for size, each in zip(sizes, rates, strict=True)}

    records = [base(**grows(100, 200, 400, 800)), record("flat", workloads=grows(100, 300, 310, 290))]
    still, flat = found(records)[GROWTH]
    assert still.text == "base at 8 tokens: throughput still grows at batch 16: 800 samples/s, 2.00 × that of batch 8"
    assert flat.text == (
        "flat at 8 tokens: throughput stops growing at batch 4: 300 samples/s, and at most 310 in larger ones (batch 8)"
    )
    assert (still.records, flat.records) == (("base",), ("flat",))


def test_a_throughput_of_no_call_at_all_is_left_out():
    sizes = {
        "b1": rate(timed(1.0, size=1), 0.0),
        "b4": rate(timed(1.0, size=4), 200),
        "b8": rate(timed(1.0, size=8), 300),
    }
    assert only(found([base(**sizes)])[GROWTH]).text.endswith("at batch 8: 300 samples/s, 1.50 × that of batch 4")
    assert GROWTH not in found([base(b1=sizes["b1"], b4=sizes["b4"])])


def test_int8_that_is_slower_names_what_the_file_and_the_trace_hold():
    quantized = timed(1.2, run=executed(INT8=3, FP32=3))
    records = [base(), record("int8", backend="ort", census=INT8, workloads={"b2": quantized})]
    one = only(found(records)[LOWER])
    assert one.text.startswith("int8 (INT8) takes, of the latency of base (FP32): b2 1.200 [")
    assert (
        "× (slower). The file holds 4 INT8, 2 FP32 products; executed at b2 were 3 INT8, 3 FP32 (a profile)" in one.text
    )
    assert one.text.endswith("conversions take 5 % of the time. Why: b2: no fast kernel")
    assert one.records == ("int8", "base")


def test_int8_is_held_against_fp16_and_fp32_of_its_own_runtime_only():
    records = [
        base(),
        record("fp16", backend="ort", census=FP16, workloads={"b2": timed(0.5, run=executed(FP16=6))}),
        record("int8", backend="ort", census=INT8, workloads={"b2": timed(0.5, run=executed(INT8=6))}),
        on(record("elsewhere", census=FP16, workloads={"b2": timed(0.5, run=executed(FP16=6))}), runner="other"),
    ]
    pairs = [each.records for each in found(records)[LOWER]]
    assert pairs == [("fp16", "base"), ("int8", "base"), ("int8", "fp16")]
    assert "(as fast)" in found(records)[LOWER][2].text


def test_what_a_provider_does_not_list_is_said_and_not_guessed():
    silent = executed()
    records = [base(), record("int8", backend="ort", census=INT8, workloads={"b2": timed(1.2, run=silent)})]
    assert "of what was executed no product is listed (a profile)" in only(found(records)[LOWER]).text


def test_a_candidate_whose_precision_nothing_tells_is_held_against_nothing():
    unknown = {"b2": workload([1.0], ratio=(1.2, 1.19, 1.21))}
    records = [base(), on(record("unknown", loads="checkpoint", workloads=unknown), runner="other")]
    assert {LOWER, RUNTIMES, FILES} & set(found(records)) == set()


def test_another_runtime_in_the_precision_of_the_baseline():
    records = [base(), on(record("elsewhere", census=FP32, workloads={"b2": timed(0.6)}), runner="other")]
    one = only(found(records)[RUNTIMES])
    assert one.text == "elsewhere, in FP32 as base, takes of its latency: b2 0.600 [0.594, 0.606] × (faster)"
    assert one.records == ("elsewhere", "base")


def test_another_file_on_the_same_backend_shows_what_a_graph_step_is_worth():
    simplified = record(
        "simplified", backend="ort", census=FP32, loads="onnx/simplified", workloads={"b2": timed(0.99)}
    )
    one = only(found([base(), simplified])[FILES])
    assert one.text.startswith(
        "onnx/simplified on ort takes, of the latency of onnx/fp32 in the same precision (FP32): b2 0.990 ["
    )
    assert one.text.endswith("(as fast)")
    assert one.records == ("simplified", "base")


def test_one_file_in_two_rows_is_not_held_against_itself():
    assert FILES not in found([base(), record("again", backend="ort", census=FP32, workloads={"b2": timed(1.3)})])


def test_the_widest_and_the_narrowest_tail():
    records = [
        base(b2=timed(1.0, percentiles={"50": 2.0, "95": 2.2})),
        record("jumpy", workloads={"b2": timed(1.0, percentiles={"50": 2.0, "95": 5.0})}),
        record("short", workloads={"b2": timed(1.0, percentiles={"50": 2.0})}),
    ]
    one = only(found(records)[TAILS])
    assert one.text == ("b2: p95 is 2.50 × the median with jumpy, the widest of 2, and 1.10 × with base, the narrowest")
    assert one.records == ("jumpy", "base")


def test_labels_that_stay_are_one_line():
    records = [base(), record("a"), record("b")]
    one = only(found(records)[LABELS])
    assert (one.text, one.records) == ("no label differs from base's: a, b", ("a", "b", "base"))


def moved(own, level_ms=3.0):
    """The same workload, beside which the baseline took so long; beside itself it takes 2 ms."""
    return own.model_copy(update={"baseline_latencies_ms": [level_ms]})


def test_a_disturbed_ratio_is_said_with_its_reason():
    records = [base(), record("late", workloads={"b2": moved(timed(1.0))})]
    one = only(found(records)[DISTURBED])
    assert one.text.startswith("late at b2: disturbed: the baseline beside it was 50 % slower than beside itself")
    assert one.records == ("late", "base")


def test_what_disturbs_every_candidate_of_a_workload_is_said_once():
    records = [base(b2=timed(1.2), b8=timed(1.0)), record("a", workloads={"b2": timed(0.5), "b8": timed(0.5)})]
    one = only(found(records)[DISTURBED])
    assert one.text.startswith("base, a at b2: disturbed: beside itself the baseline takes 20 % more time than itself")


def test_nothing_else_is_observed_of_a_disturbed_cell():
    """An INT8 candidate that looks 5 × as fast, with the slowest tail and the best throughput: of noise."""
    noisy = rate(moved(timed(0.2, run=executed(INT8=6), percentiles={"50": 2.0, "95": 50.0})), 9000)
    larger = rate(moved(timed(0.2, size=8, run=executed(INT8=6))), 9000)
    calm = {"b2": timed(1.0), "b8": timed(1.0, size=8)}
    elsewhere = on(record("elsewhere", census=FP32, workloads={"b2": moved(timed(0.1))}), runner="other")
    records = [
        base(**calm),
        record("a", backend="ort", census=FP32, workloads=calm),
        record("int8", backend="ort", census=INT8, workloads={"b2": noisy, "b8": larger}),
        record("simplified", backend="ort", census=FP32, loads="onnx/simplified", workloads={"b2": moved(timed(0.5))}),
        elsewhere,
    ]
    about = {
        title: {name for each in observations for name in each.records} & {"int8", "simplified", "elsewhere"}
        for title, observations in found(records).items()
    }
    assert about.pop(DISTURBED) == {"int8", "simplified", "elsewhere"}
    assert about.pop(LABELS) == {"int8", "simplified", "elsewhere"}  # labels are not timed
    assert set().union(*about.values()) == set()
    cells = compared(records, "base").candidates["int8"].workloads
    assert all(cell.not_faster is None for cell in cells.values())


def test_what_was_not_measured_is_listed_by_reason_with_its_records():
    few = timed(1.0, percentiles={"50": 2.0}).model_copy(
        update={"percentiles_left_out": {"95": "few"}, "timed_runs": 12}
    )
    records = [
        base(),
        record("rtx", reason="no NVIDIA GPU"),
        record("trt", reason="no NVIDIA GPU"),
        record("large", workloads={"b2": few, "b256": NotMeasured(reason="out of memory: 80 GiB")}),
        record("apart", workloads={"b2": workload([1.0], ratio="the baseline could not be run: no NVIDIA GPU")}),
    ]
    assert [(each.text, each.records) for each in found(records)[MISSING]] == [
        ("rtx, trt: no NVIDIA GPU", ("rtx", "trt")),
        ("p95 of large at b2 (12): fewer calls were timed than p95 needs, 130", ("large",)),
        ("large at b256: out of memory: 80 GiB", ("large",)),
        ("the ratio of apart at b2: the baseline could not be run: no NVIDIA GPU", ("apart",)),
    ]


def test_a_median_of_few_calls_is_said_to_be_one_where_tables_show_it():
    few = timed(1.0).model_copy(update={"percentiles_left_out": {"50": "few"}, "timed_runs": 7})
    records = [base(), record("large", workloads={"b2": few})]
    assert only(found(records)[MISSING]).text == (
        "p50 of large at b2 (7): fewer calls were timed than p50 needs, 11; what tables show as p50 is the median of these "
        "calls"
    )


def test_the_harness_is_no_candidate_for_anything():
    harness = on(record("harness", predictions=None, workloads={"b2": timed(0.001)}), runner="null")
    assert all("harness" not in each.records for own in found([base(), harness, record("a")]).values() for each in own)


def test_nothing_measured_leaves_only_what_was_not():
    assert list(found([record("base", reason="no NVIDIA GPU")])) == [MISSING]


def test_an_observation_without_a_record_cannot_be_made():
    with pytest.raises(ValueError, match="no record is named for: INT8 is always faster"):
        Observation("INT8 is always faster", ())


def test_a_rule_that_names_a_stranger_is_wrong(monkeypatch):
    monkeypatch.setattr(
        "temper.report.observe.observations.RULES", (("A rule", lambda facts: [Observation("it is so", ("nobody",))]),)
    )
    with pytest.raises(ValueError, match="it rests on nobody"):
        found([base()])


def test_every_line_of_the_page_names_its_records_and_rules_without_any_have_no_heading():
    records = [base(), record("rtx", reason="no NVIDIA GPU")]
    against = compared(records, "base")
    page = observations_markdown(records, against, decide(records, against))
    lines = [line for line in page.splitlines() if line.startswith("- ")]
    assert "- rtx: no NVIDIA GPU. *Records: rtx.*" in lines
    assert all("*Records: " in line for line in lines)
    assert "## Not measured" in page
    assert "## The fastest" not in page


# A record is broken on the disk, the report is written again: the observation that rested on it is another, the rest stays


def slower(content):
    content["workloads"]["b2"]["ratio"] |= {"ratio": 1.5, "low": 1.49, "high": 1.51}


def unquantized(content):
    content["workloads"]["b2"]["executed"] |= executed(FP32=6)


def out_of_memory(content):
    content["workloads"]["b2"] = {"status": "not measured", "reason": "out of memory"}


def other_labels(content):
    content["accuracy"]["by_batch_size"]["2"]["predictions"] = [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        pytest.param(slower, "b2: int8 is the fastest of 3", "b2: fp16 is the fastest of 3", id="slower"),
        pytest.param(slower, "b2 0.667 [", "2.500 [", id="slower than FP16"),
        pytest.param(unquantized, "executed at b2 were 6 INT8", "executed at b2 were 6 FP32", id="another trace"),
        pytest.param(out_of_memory, "b2: int8 is the fastest of 3", "- int8 at b2: out of memory.", id="lost"),
        pytest.param(
            other_labels, "no label differs from base's: fp16, int8", "int8: 4 of 4 labels differ", id="labels"
        ),
    ],
)
def test_a_broken_record_changes_what_rests_on_it(tmp_path, change, before, after):
    records = [
        base(),
        record("fp16", backend="ort", census=FP16, workloads={"b2": timed(0.6, run=executed(FP16=6))}),
        record("int8", backend="ort", census=INT8, workloads={"b2": timed(0.4, run=executed(INT8=6))}),
    ]
    paths = [tmp_path / f"{each.candidate}.json" for each in records]
    for path, each in zip(paths, records, strict=True):
        write_record(path, each)

    def page():
        write_summary(
            study="t",
            baseline="base",
            analysis=ANALYSIS,
            engines={},
            records=[str(path) for path in paths],
            remeasurements=None,
            jobs=[],
            folder=str(tmp_path / "report"),
        )
        return (tmp_path / "report/engineering_observations.md").read_text()

    whole = page()
    assert before in whole
    assert after not in whole
    content = json.loads(paths[2].read_text())
    change(content)
    paths[2].write_text(json.dumps(content))
    read_record(paths[2])  # still a record: what it says is another thing
    broken = page()
    assert before not in broken
    assert after in broken
    assert {line for line in whole.splitlines() if "*Records: fp16, base.*" in line} <= set(broken.splitlines())
