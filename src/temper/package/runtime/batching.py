"""Rows of many requests in one call of the model: as many as its budget of tokens holds, none of them left waiting.

A call is formed when the model is free. Rows that arrive meanwhile wait, so that a busy server has full calls and an idle one
answers at once; `delay_s` lets an idle one wait for company, too.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .batches import Padding, collate
from .packing import Tensors

Call = Callable[[Tensors], Awaitable[npt.NDArray[np.float32]]]
AHEAD = 2  # calls that the model has at a time: the one it works on, and the next
WINDOW = 4  # times the rows of a call: waiting rows that are looked through for ones that fit it


class TooMany(Exception):
    """More rows wait than may; `retry_s` is about how long they take."""

    def __init__(self, retry_s: float) -> None:
        self.retry_s = retry_s
        super().__init__(f"try again in {retry_s:.0f} s")


@dataclass(eq=False)
class _Request:
    values: Mapping[str, Sequence[npt.NDArray[Any]]]
    rows: list[npt.NDArray[np.float32] | None]
    done: "asyncio.Future[npt.NDArray[np.float32]]"
    missing: int


@dataclass(frozen=True, eq=False, slots=True)
class _Row:
    request: _Request
    number: int
    length: int
    came_s: float


@dataclass(frozen=True)
class Budget:
    """How large a call may be.

    Attributes:
        tokens: that are computed, padding included; of a packed model in all its rows.
        rows: at most.
        packed: whether rows are packed, so that padding to the longest costs nothing.
    """

    tokens: int
    rows: int
    packed: bool

    def holds(self, rows: int, longest: int, total: int) -> bool:
        """Whether a call of these rows is within it."""
        return rows <= self.rows and (total if self.packed else rows * longest) <= self.tokens


def budget_of(sizes: Sequence[tuple[int, int]], longest: int) -> tuple[int, int]:
    """Tokens and rows of a call that measurements speak for: larger calls were not timed.

    Args:
        sizes: rows and tokens of each call that was timed.
        longest: tokens of the longest row, which always fits.
    """
    return max(longest, *(rows * tokens for rows, tokens in sizes)), max(rows for rows, _ in sizes)


@dataclass
class Counts:
    """What was done so far.

    Attributes:
        calls, rows, tokens: of the model; tokens as they were computed.
        call_s: seconds in calls.
        sizes: rows of each call are told to it.
    """

    calls: int = 0
    rows: int = 0
    tokens: int = 0
    call_s: float = 0.0
    sizes: Callable[[int], None] = field(default=lambda rows: None)


class Batcher:
    """Forms the calls. All of it runs in one event loop."""

    def __init__(self, call: Call, padding: Padding, budget: Budget, *, delay_s: float, most_waiting: int) -> None:
        """Wait for rows.

        Args:
            call: answers one call's padded arrays with logits.
            padding: of the package.
            budget: of a call; one row always fits.
            delay_s: the longest that the first row of a call waits for others while the model is free.
            most_waiting: rows that may wait; beyond it `submit` raises TooMany.
        """
        self._call, self._padding, self._budget = call, padding, budget
        self._delay_s, self.most_waiting = delay_s, most_waiting
        self._waiting: deque[_Row] = deque()
        self._changed = asyncio.Event()  # rows came, or a call ended
        self._running: set[asyncio.Task[None]] = set()
        self.counts = Counts()

    @property
    def waiting(self) -> int:
        """Rows that wait for a call."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is computed."""
        return not self._waiting and not self._running

    async def submit(
        self, values: Mapping[str, Sequence[npt.NDArray[Any]]], lengths: Sequence[int]
    ) -> npt.NDArray[np.float32]:
        """Logits [rows, labels] of encoded rows.

        Args:
            values: by input name an array for each row, unpadded.
            lengths: tokens of each row.

        Raises:
            TooMany: too many rows wait.
            Exception: whatever the call raised.
        """
        if len(self._waiting) + len(lengths) > self.most_waiting:
            raise TooMany(self._time_for(len(self._waiting)))
        loop, now = asyncio.get_running_loop(), time.monotonic()
        request = _Request(values, [None] * len(lengths), loop.create_future(), len(lengths))
        self._waiting.extend(_Row(request, number, length, now) for number, length in enumerate(lengths))
        self._changed.set()
        try:
            return await request.done
        finally:
            if not request.done.done() or request.done.cancelled():  # whoever asked has gone: nobody waits for these
                self._waiting = deque(row for row in self._waiting if row.request is not request)

    def _time_for(self, rows: int) -> float:
        """Seconds that so many rows take, by what was computed so far."""
        return max(1.0, rows * self.counts.call_s / self.counts.rows) if self.counts.rows else 1.0

    async def run(self) -> None:
        """Form calls and answer them, for ever.

        While the model works on one, the next is handed over as soon as it is full: the model need not wait for it then.
        """
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._wait_for_company()
            while self._waiting and (not self._running or (len(self._running) < AHEAD and self._is_full())):
                task = asyncio.create_task(self._answer(self._take()))
                self._running.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._changed.set()

    def _is_full(self) -> bool:
        """Whether the rows that wait are more than one call holds."""
        longest, total = max(row.length for row in self._waiting), sum(row.length for row in self._waiting)
        return not self._budget.holds(len(self._waiting) + 1, longest, total + 1)

    async def _wait_for_company(self) -> None:
        """While there is room in the next call and the model is free, until its first row has waited its time."""
        while self._delay_s and self._waiting and not self._running and not self._is_full():
            left_s = self._waiting[0].came_s + self._delay_s - time.monotonic()
            if left_s <= 0:
                return
            try:
                await asyncio.wait_for(self._changed.wait(), left_s)
            except TimeoutError:
                return
            self._changed.clear()

    def _take(self) -> list[_Row]:
        """The rows of the next call: the one that waits longest, and of those behind it the ones that fit beside it.

        Where rows are padded to the longest, those nearest to its length are looked at first: they cost the least padding. No
        row is passed over for ever, as the first of the queue always goes.
        """
        if not self._waiting:
            return []
        window = [self._waiting.popleft() for _ in range(min(WINDOW * self._budget.rows, len(self._waiting)))]
        first = window[0]
        chosen, longest, total = {first}, self._length(first.length), first.length
        behind = window[1:]
        if not self._budget.packed and len(behind) >= self._budget.rows:  # else all of them may go
            behind = sorted(behind, key=lambda row: abs(row.length - first.length))  # stable: of equals the oldest
        for row in behind:
            with_it = max(longest, self._length(row.length))
            if self._budget.holds(len(chosen) + 1, with_it, total + row.length):
                chosen.add(row)
                longest, total = with_it, total + row.length
        self._waiting.extendleft(row for row in reversed(window) if row not in chosen)
        return [row for row in window if row in chosen]

    def _length(self, tokens: int) -> int:
        return tokens if self._budget.packed else self._padding.length(tokens)

    async def _answer(self, rows: list[_Row]) -> None:
        values = {name: [row.request.values[name][row.number] for row in rows] for name in rows[0].request.values}
        inputs = collate(values, range(len(rows)), self._padding)
        began = time.perf_counter()
        try:
            logits = await self._call(inputs)
        except Exception as error:
            for request in {row.request for row in rows}:
                if not request.done.done():
                    request.done.set_exception(error)
            self._waiting = deque(row for row in self._waiting if not row.request.done.done())
            return
        counts = self.counts
        counts.calls += 1
        counts.rows += len(rows)
        counts.tokens += sum(row.length for row in rows) if self._budget.packed else _computed(inputs)
        counts.call_s += time.perf_counter() - began
        counts.sizes(len(rows))
        for row, own in zip(rows, logits, strict=False):
            request = row.request
            request.rows[row.number] = own
            request.missing -= 1
            if not request.missing and not request.done.done():
                request.done.set_result(np.stack([found for found in request.rows if found is not None]))


def _computed(inputs: Tensors) -> int:
    shape: tuple[int, ...] = next(iter(inputs.values())).shape
    return shape[0] * (shape[1] if len(shape) == 2 else 1)
