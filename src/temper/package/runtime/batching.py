"""Rows of many requests in one call of the model: as many as its budget of tokens holds, none of them left waiting.

A call is formed when the model is free. Rows that arrive meanwhile wait, so that a busy server has full calls and an idle one
answers at once; `delay_s` lets an idle one wait for company, too. Where the model does not run on the server's own processors,
`gather` has a free one wait for those who were just answered: a GPU computes a row in about the time of a whole call.
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
from .budget import Budget
from .packing import Tensors

Call = Callable[[Tensors], Awaitable[npt.NDArray[np.float32]]]
AHEAD = 2  # calls that the model has at a time: the one it works on, and the next
WINDOW = 4  # times the rows of a call: waiting rows that are looked through for ones that fit it
GATHER_S = 0.002  # at most
RECENT = 0.1  # weight of the last call in the time that one takes

Values = Mapping[str, Sequence[npt.NDArray[Any]]]


class TooMany(Exception):
    """More rows wait than may; `retry_s` is about how long they take."""

    def __init__(self, retry_s: float) -> None:
        self.retry_s = retry_s
        super().__init__(f"try again in {retry_s:.0f} s")


@dataclass(eq=False, slots=True)
class Request:
    """Rows of one caller.

    Attributes:
        values: by input name an array for each row, unpadded.
        answered: is told rows, from 0, and their logits, as calls bring them.
        failed: is told what a call of it raised; nothing comes after that.
        over: whether nobody waits for it any more.
    """

    values: Values
    answered: Callable[[list[int], npt.NDArray[np.float32]], None]
    failed: Callable[[Exception], None]
    over: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class _Row:
    request: Request
    number: int
    length: int
    came_s: float


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

    def __init__(
        self,
        call: Call,
        padding: Padding,
        budget: Budget,
        *,
        delay_s: float,
        most_waiting: int,
        gather: bool = False,
    ) -> None:
        """Wait for rows.

        Args:
            call: answers one call's padded arrays with logits.
            padding: of the package.
            budget: of a call; one row always fits.
            delay_s: the longest that the first row of a call waits for others while the model is free.
            most_waiting: rows that may wait; beyond it `submit` raises TooMany.
            gather: a free model waits for as many rows as there were just now, for the time of a call at most.
        """
        self._call, self._padding, self._budget = call, padding, budget
        self._delay_s, self.most_waiting, self._gather = delay_s, most_waiting, gather
        self._waiting: deque[_Row] = deque()
        self._changed = asyncio.Event()  # rows came, or a call ended
        self._running: set[asyncio.Task[None]] = set()
        self._around = 0  # rows of the last call, and those that came while it was computed
        self._free_s = 0.0  # when the model became free
        self._call_s = 0.0  # that a call takes, of late
        self.counts = Counts()

    @property
    def waiting(self) -> int:
        """Rows that wait for a call."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is computed."""
        return not self._waiting and not self._running

    async def submit(self, values: Values, lengths: Sequence[int]) -> npt.NDArray[np.float32]:
        """Logits [rows, labels] of encoded rows.

        Args:
            values: by input name an array for each row, unpadded.
            lengths: tokens of each row.

        Raises:
            TooMany: too many rows wait.
            Exception: whatever the call raised.
        """
        done: asyncio.Future[npt.NDArray[np.float32]] = asyncio.get_running_loop().create_future()
        rows: dict[int, npt.NDArray[np.float32]] = {}

        def answered(numbers: list[int], logits: npt.NDArray[np.float32]) -> None:
            rows.update(zip(numbers, logits, strict=True))
            if len(rows) == len(lengths) and not done.done():
                done.set_result(np.stack([rows[number] for number in range(len(lengths))]))

        def failed(error: Exception) -> None:
            if not done.done():
                done.set_exception(error)

        request = Request(values, answered, failed)
        self.enqueue(request, lengths)
        try:
            return await done
        finally:
            if not done.done() or done.cancelled():  # whoever asked has gone: nobody waits for these
                self.drop([request])

    def enqueue(self, request: Request, lengths: Sequence[int]) -> None:
        """Let the rows of a request wait for a call.

        Args:
            request: that is told of them.
            lengths: tokens of each row.

        Raises:
            TooMany: too many rows wait.
        """
        if len(self._waiting) + len(lengths) > self.most_waiting:
            raise TooMany(self._time_for(len(self._waiting)))
        now = time.monotonic()
        self._waiting.extend(_Row(request, number, length, now) for number, length in enumerate(lengths))
        self._changed.set()

    def drop(self, requests: Sequence[Request]) -> None:
        """Compute no more rows of these."""
        for request in requests:
            request.over = True
        self._waiting = deque(row for row in self._waiting if not row.request.over)

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
            await self._wait_for_those_around()
            while self._waiting and (not self._running or (len(self._running) < AHEAD and self._is_full())):
                task = asyncio.create_task(self._answer(self._take()))
                self._running.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not self._running:
            self._free_s = time.monotonic()
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

    async def _wait_for_those_around(self) -> None:
        """While the model is free and fewer rows wait than were here just now: whoever was answered may ask again at once.

        For the time of a call at most, from when the model was free, or its first row came. A caller alone waits for nobody.
        """
        while self._gather and self._waiting and not self._running and len(self._waiting) < self._around:
            until_s = max(self._free_s, self._waiting[0].came_s) + min(self._call_s, GATHER_S)
            if time.monotonic() >= until_s or self._is_full():
                return
            await asyncio.sleep(0)  # what has come is read; a timer's shortest time is that of several calls

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
        places: dict[Request, list[int]] = {}
        for place, row in enumerate(rows):
            places.setdefault(row.request, []).append(place)
        began = time.perf_counter()
        try:
            logits = await self._call(inputs)
        except Exception as error:
            for request in places:
                if not request.over:
                    request.failed(error)
            self.drop(list(places))
            return
        took_s, self._around = time.perf_counter() - began, len(rows) + len(self._waiting)
        self._call_s = took_s if not self._call_s else (1 - RECENT) * self._call_s + RECENT * took_s
        counts = self.counts
        counts.calls += 1
        counts.rows += len(rows)
        counts.tokens += sum(row.length for row in rows) if self._budget.packed else _computed(inputs)
        counts.call_s += took_s
        counts.sizes(len(rows))
        for request, own in places.items():
            if not request.over:
                request.answered([rows[place].number for place in own], logits[own])


def _computed(inputs: Tensors) -> int:
    shape: tuple[int, ...] = next(iter(inputs.values())).shape
    return shape[0] * (shape[1] if len(shape) == 2 else 1)
