"""Calls formed of the rows of many requests: budget, order, padding, packing, backpressure."""

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from temper.package.runtime import batching
from temper.package.runtime.batches import Padding
from temper.package.runtime.batching import Batcher, TooMany
from temper.package.runtime.budget import Budget

PADDING = Padding(
    "right", {"input_ids": 0, "attention_mask": 0}, {"input_ids": "int64", "attention_mask": "int64"}, 1, 64, ()
)


def rows(*lengths):
    """Encoded rows of these lengths; every token of a row is its length."""
    return {
        "input_ids": [np.full(length, length) for length in lengths],
        "attention_mask": [np.ones(length, np.int64) for length in lengths],
    }, list(lengths)


class Slow:
    """A model that answers a row with its length, when it is let."""

    def __init__(self):
        self.calls, self.go, self.failure = [], asyncio.Event(), None

    async def __call__(self, inputs):
        self.calls.append(inputs["input_ids"].shape)
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        return inputs["input_ids"].max(axis=1, keepdims=True).astype(np.float32)


def run(scenario, budget, *, padding=PADDING, delay_s=0.0, most_waiting=100):
    """Runs a scenario with a model and a batcher over it."""

    async def whole():
        model = Slow()
        batcher = Batcher(model, padding, budget, delay_s=delay_s, most_waiting=most_waiting)
        forming = asyncio.create_task(batcher.run())
        try:
            return await scenario(model, batcher)
        finally:
            forming.cancel()

    return asyncio.run(whole())


async def busy(model, batcher):
    """A request that the model works on, so that others wait."""
    first = asyncio.create_task(batcher.submit(*rows(1)))
    while not model.calls:
        await asyncio.sleep(0)
    return first


async def waiting(batcher, *requests):
    """Requests that wait, in their order."""
    made = [asyncio.create_task(batcher.submit(*rows(*lengths))) for lengths in requests]
    await asyncio.sleep(0.01)
    return made


def test_what_waits_shares_a_call_and_each_request_gets_its_own_rows():
    async def scenario(model, batcher):
        first = await busy(model, batcher)
        others = await waiting(batcher, (4, 2), (3,))
        model.go.set()
        found = [(await each).ravel().tolist() for each in (first, *others)]
        return model.calls, found

    assert run(scenario, Budget(64, 8, packed=False)) == ([(1, 1), (3, 4)], [[1.0], [4.0, 2.0], [3.0]])


def test_a_call_holds_its_tokens_padding_included_and_passes_over_what_does_not_fit():
    async def scenario(model, batcher):
        first = await busy(model, batcher)
        others = await waiting(batcher, (4,), (30,), (4,), (3,))
        model.go.set()
        await asyncio.gather(first, *others)
        return model.calls

    # 4 and 30 would be 60 tokens of padded rows; the next 4 and 3 fit beside the first
    assert run(scenario, Budget(32, 8, packed=False)) == [(1, 1), (3, 4), (1, 30)]


def test_where_more_wait_than_a_call_holds_those_of_like_length_go_together():
    async def scenario(model, batcher):
        first = await busy(model, batcher)
        others = await waiting(batcher, (4,), (30,), (5,), (29,), (4,), (31,))
        model.go.set()
        found = await asyncio.gather(first, *others)
        return model.calls, [own.item() for own in found]

    calls, found = run(scenario, Budget(640, 3, packed=False))
    assert (calls, found) == ([(1, 1), (3, 5), (3, 31)], [1, 4, 30, 5, 29, 4, 31])


def test_a_full_call_is_handed_over_while_the_model_works_on_another():
    async def scenario(model, batcher):
        first = await busy(model, batcher)
        others = await waiting(batcher, (4,), (4,), (4,), (4,), (4,))
        handed_over = list(model.calls)  # the model has answered none yet
        model.go.set()
        await asyncio.gather(first, *others)
        return handed_over, model.calls

    found = run(scenario, Budget(640, 3, packed=False))
    assert found == ([(1, 1), (3, 4)], [(1, 1), (3, 4), (2, 4)])


def test_packed_rows_cost_their_own_tokens_alone():
    async def scenario(model, batcher):
        first = await busy(model, batcher)
        others = await waiting(batcher, (4,), (30,), (4,), (3,))
        model.go.set()
        await asyncio.gather(first, *others)
        return model.calls

    assert run(scenario, Budget(38, 8, packed=True)) == [(1, 1), (3, 30), (1, 3)]


def test_a_call_has_at_most_its_rows_and_a_long_request_is_cut_into_calls():
    async def scenario(model, batcher):
        model.go.set()
        found = await batcher.submit(*rows(1, 2, 3, 4, 5))
        return model.calls, found.ravel().tolist()

    assert run(scenario, Budget(64, 2, packed=False)) == ([(2, 2), (2, 4), (1, 5)], [1.0, 2.0, 3.0, 4.0, 5.0])


def test_a_row_beyond_the_budget_is_answered_alone():
    async def scenario(model, batcher):
        model.go.set()
        await batcher.submit(*rows(60, 60))
        return model.calls

    assert run(scenario, Budget(32, 8, packed=False)) == [(1, 60), (1, 60)]


def test_static_shapes_are_filled_up_and_rounded():
    padding = Padding(PADDING.side, PADDING.values, PADDING.dtypes, 8, 20, (1, 4))

    async def scenario(model, batcher):
        model.go.set()
        found = await batcher.submit(*rows(3, 9))
        await batcher.submit(*rows(18))
        return model.calls, found.ravel().tolist()

    assert run(scenario, Budget(64, 8, packed=False), padding=padding) == ([(4, 16), (1, 20)], [3.0, 9.0])


def test_more_than_may_wait_is_refused_with_a_time():
    async def scenario(model, batcher):
        first = await busy(model, batcher)
        others = await waiting(batcher, (1, 1, 1))
        with pytest.raises(TooMany) as refused:
            await batcher.submit(*rows(1, 1))
        model.go.set()
        await asyncio.gather(first, *others)
        await batcher.submit(*rows(1, 1))  # there is room again
        return refused.value.retry_s

    assert run(scenario, Budget(64, 8, packed=False), most_waiting=4) >= 1


def test_rows_of_whoever_has_gone_are_not_computed():
    async def scenario(model, batcher):
        first = await busy(model, batcher)
        gone, stays = await waiting(batcher, (5,), (2,))
        gone.cancel()
        await asyncio.sleep(0.01)
        model.go.set()
        await asyncio.gather(first, stays)
        return model.calls, batcher.idle

    calls, idle = run(scenario, Budget(64, 8, packed=False))
    assert (calls, idle) == ([(1, 1), (1, 2)], True)


def test_a_call_that_fails_fails_its_requests_and_the_next_is_answered():
    async def scenario(model, batcher):
        model.failure = ValueError("broken")
        first = await busy(model, batcher)
        model.go.set()
        with pytest.raises(ValueError, match="broken"):
            await first
        model.failure = None
        return (await batcher.submit(*rows(7))).tolist()

    assert run(scenario, Budget(64, 8, packed=False)) == [[7.0]]


def test_an_idle_server_waits_for_company_where_it_is_told_to():
    async def scenario(model, batcher):
        model.go.set()
        others = await waiting(batcher, (2,), (2,))
        await asyncio.gather(*others)
        return model.calls

    assert run(scenario, Budget(64, 8, packed=False), delay_s=0.2) == [(2, 2)]
    assert run(scenario, Budget(4, 8, packed=False), delay_s=60.0) == [(2, 2)]  # full: nothing is waited for


TICK_S = 1e-4


def crowd(gather, monkeypatch, *, callers=64, call_s=0.004, turns=12):
    """Rows of the calls that a crowd gets whose every caller asks again as soon as it is answered.

    The model takes as long for one row as for many, as a GPU does; the callers' next rows come a few at a time. Time passes by
    the turns of the event loop, so that a busy machine changes nothing.
    """
    now_s = 0.0
    monkeypatch.setattr(batching, "time", SimpleNamespace(monotonic=lambda: now_s, perf_counter=lambda: now_s))

    async def whole():
        sizes = []

        async def clock():
            nonlocal now_s
            while True:
                now_s += TICK_S
                await asyncio.sleep(0)

        async def model(inputs):
            sizes.append(len(inputs["input_ids"]))
            for _ in range(round(call_s / TICK_S)):
                await asyncio.sleep(0)
            return np.zeros((sizes[-1], 2), np.float32)

        budget = Budget(64 * 256, 256, packed=True)
        batcher = Batcher(model, PADDING, budget, delay_s=0.0, most_waiting=1000, gather=gather)
        beside = [asyncio.create_task(batcher.run()), asyncio.create_task(clock())]

        async def caller(number):
            for _ in range(turns):
                for _ in range(number % 4):  # of the event loop: what it takes to ask again differs
                    await asyncio.sleep(0)
                await batcher.submit(*rows(3))

        await asyncio.gather(*(caller(number) for number in range(callers)))
        for task in beside:
            task.cancel()
        return sizes, now_s

    return asyncio.run(whole())


def test_a_crowd_on_a_gpu_gets_calls_of_many_rows(monkeypatch):
    sizes, _ = crowd(True, monkeypatch)
    without, _ = crowd(False, monkeypatch)  # the first to ask again gets a call alone, and all others wait for it
    assert sum(sizes) == sum(without) == 64 * 12
    rows_a_call, rows_without = (sum(each) / len(each) for each in (sizes, without))
    assert rows_a_call > max(32, rows_without), (sizes, without)


def test_a_caller_alone_waits_for_nobody(monkeypatch):
    sizes, took_s = crowd(True, monkeypatch, callers=1, call_s=0.01, turns=20)
    assert sizes == [1] * 20
    assert took_s < 20 * 0.01 * 1.1
