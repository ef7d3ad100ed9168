"""Why a lower precision is not faster: four cases, from evidence."""

import pytest

from tests.records import compared_json, record, workload

INT8 = {"by_precision": {"INT8": 4, "FP32": 2}}
FP32 = {"by_precision": {"FP32": 6}}


def executed(*, quantized=4, share=0.05, kind="MatMul"):
    products = {"INT8": quantized, "FP32": 6 - quantized} if quantized else {"FP32": 6}
    return {
        "source": "a profile",
        "products": {"total": 6, "quantized": quantized},
        "products_by_precision": products,
        "conversion_time_share": share,
        "most_expensive_types": [{"type": kind, "kernel": "brgemm", "layers": 4, "time_share": 0.6}],
    }


def why(ratio, run, *, large=None, small=1.0):
    """The case of an INT8 candidate whose ratio to the baseline is this (or with its interval), where FP32's is 1."""
    taken = ratio if isinstance(ratio, tuple) else (ratio, ratio, ratio)
    own = {"b1": workload([small], ratio=taken, executed=run, sizes=(1, 8))}
    if large is not None:
        own["b8"] = workload([large], ratio=taken, executed=run, sizes=(8, 8))
    base = record(
        "fp32",
        backend="ort",
        census=FP32,
        workloads=dict.fromkeys(own, workload([1.0], executed=executed(quantized=0))),
    )
    records = [base, record("int8", backend="ort", census=INT8, workloads=own)]
    return compared_json(records, "fp32")["candidates"]["int8"]["workloads"]["b1"].get("not_faster")


def test_what_is_faster_needs_no_reason():
    assert why(0.5, executed()) is None


def test_an_interval_that_holds_both_tells_neither():
    found = why((0.93, 0.84, 1.03), executed())  # FP32's own interval is [0.98, 1.02]
    assert found["case"] == "not told"
    assert found["evidence"] == "the interval reaches from 0.84 to 1.03 times as long"
    assert why((0.85, 0.83, 0.87), executed()) is None


def test_fp32_is_held_against_nothing():
    records = [record("a", backend="ort", census=FP32), record("b", backend="ort", census=FP32)]
    assert "not_faster" not in compared_json(records, "a")["candidates"]["b"]["workloads"]["b1"]


def test_nothing_that_was_executed_is_quantized():
    found = why(1.0, executed(quantized=0))
    assert (found["case"], found["compared_with"], found["precision"]) == ("not quantized", "fp32", "INT8")
    assert "none of 6 executed products" in found["evidence"]


def test_conversions_that_eat_the_gain():
    found = why(1.1, executed(share=0.4))
    assert found["case"] == "conversions eat the gain"
    assert "40 % of the time" in found["evidence"]
    assert "0.66 of FP32's" in found["evidence"]


def test_a_model_too_small_to_matter():
    found = why(1.1, executed(), small=1.0, large=1.2)
    assert found["case"] == "too small to matter"
    assert found["evidence"] == "8 times the work takes 1.20 times as long"


@pytest.mark.parametrize("large", [None, 7.5])
def test_no_fast_kernel_is_what_remains_with_the_dearest_layer(large):
    found = why(1.1, executed(), large=large)
    assert found["case"] == "no fast kernel"
    assert "4 of 6 products ran in INT8" in found["evidence"]
    assert "MatMul (brgemm)" in found["evidence"]


def test_a_backend_that_does_not_tell_is_not_guessed_about():
    assert why(1.1, None)["case"] == "not known"


def test_a_runtime_that_lists_no_product_is_not_called_unquantized():
    run = {**executed(), "products": {"total": 0, "quantized": 0}, "products_by_precision": {}}
    found = why(1.1, run)
    assert found["case"] == "not known"
    assert found["evidence"] == "no product is listed among what was executed (a profile)"


@pytest.mark.parametrize("moved", ["int8", "fp32"])
def test_nothing_is_explained_from_a_disturbed_cell(moved):
    """INT8 that takes 3.59 times as long, beside a baseline that took 50 % longer than beside itself: noise has no reason."""
    slow = workload([1.0], ratio=(3.59, 3.59, 3.59), executed=executed())
    calm = workload([1.0], ratio=(1.0, 1.0, 1.0), executed=executed(quantized=0))
    levels = {name: {"baseline_latencies_ms": [3.0 if name == moved else 2.0]} for name in ("int8", "fp32")}
    records = [
        record("base", workloads={"b1": workload([1.0])}),
        record("fp32", backend="ort", census=FP32, workloads={"b1": calm.model_copy(update=levels["fp32"])}),
        record("int8", backend="ort", census=INT8, workloads={"b1": slow.model_copy(update=levels["int8"])}),
    ]
    assert "not_faster" not in compared_json(records, "base")["candidates"]["int8"]["workloads"]["b1"]
    quiet = [
        each.model_copy(update={"workloads": {"b1": own}}) for each, own in zip(records[1:], (calm, slow), strict=True)
    ]
    found = compared_json([records[0], *quiet], "base")["candidates"]["int8"]["workloads"]["b1"]["not_faster"]
    assert (found["case"], round(found["relative_latency"], 2)) == ("no fast kernel", 3.59)
