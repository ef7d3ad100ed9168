"""The race: which candidates are still open, which is ahead, and whom the next turns go to. Arithmetic alone: no clock, no file.

Every turn holds a challenger beside the incumbent, block by block; a block's value is the logarithm of the ratio of their
times. A challenger is dropped as soon as its interval excludes that it is faster by more than the margin. It becomes the
incumbent as soon as it looks faster and its interval excludes that the incumbent is faster by more than the margin: so nobody
is timed for ever who differs by less. It is successive elimination (Even-Dar, Mannor & Mansour 2006, Journal of Machine
Learning Research 7:1079–1105; Jamieson & Nowak 2014, 'Best-arm identification algorithms for multi-armed bandits in the fixed
confidence setting'), in the form of a duel with the best so far. The intervals hold at every moment
(temper/statistics/confidence_sequence.py; Howard, Ramdas, McAuliffe & Sekhon 2021, Annals of Statistics 49:1055–1080, on why that
is what a race needs), so a race may be stopped, killed, and gone on with wherever it stands.

The fastest is lost with a probability of at most `error`: it is dropped, or overtaken by one that is slower by more than the
margin, only where an interval misses. Half of `error` is for dropping it: the i-th incumbent that it meets has the share
1 / (i (i + 1)). The other half is for overtaking: the same share, by the number of challengers. What comes of a false alarm
elsewhere is no loss: whoever is overtaken wrongly was not the fastest.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from temper.statistics.confidence_sequence import Interval, mean_interval

FIRST_BLOCKS = 4  # of a challenger that has no turns yet: fewer say nothing of their spread
Why = Literal["slower", "not faster by more than the margin"]


@dataclass(frozen=True)
class Rules:
    """What a race may get wrong.

    Attributes:
        arms: how many candidates there are in all, those that are not reached included.
        margin: relative difference in time that is worth no more turns.
        error: probability that the fastest is lost.
    """

    arms: int
    margin: float = 0.02
    error: float = 0.05


@dataclass(frozen=True)
class Turns:
    """Blocks of one challenger beside one incumbent: ln(challenger's time / incumbent's) of each."""

    challenger: str
    incumbent: str
    log_ratios: tuple[float, ...]


@dataclass(frozen=True)
class Dropped:
    """A candidate that is out, and what its turns beside that incumbent said."""

    by: str
    why: Why
    interval: Interval


@dataclass(frozen=True)
class Standing:
    """Where a race stands.

    Attributes:
        incumbent: the fastest so far.
        led: all incumbents in their order, the present one last.
        dropped: those that are out.
        open: those that are not decided beside the present incumbent, with what is known.
        asks: challengers that would overtake and whose answers nobody has looked at; the fastest first.
    """

    incumbent: str
    led: tuple[str, ...]
    dropped: Mapping[str, Dropped]
    open: Mapping[str, Interval]
    asks: tuple[str, ...]


@dataclass
class _Pairs:
    """Turns by pair, and the number of each incumbent in the order in which they came."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    number: dict[str, int] = field(default_factory=dict)

    def add(self, turns: Turns) -> None:
        self.number.setdefault(turns.incumbent, len(self.number) + 1)
        self.values.setdefault((turns.challenger, turns.incumbent), []).extend(turns.log_ratios)

    def between(self, challenger: str, incumbent: str) -> list[float]:
        """Blocks of the two, whichever of them was the incumbent."""
        turned = self.values.get((incumbent, challenger), [])
        return [*self.values.get((challenger, incumbent), []), *(-value for value in turned)]


def intervals(values: Sequence[float], number: int, rules: Rules) -> tuple[Interval, Interval]:
    """Of one pair's blocks: the interval by which a challenger is dropped, and the wider one by which it overtakes.

    Args:
        values: ln(challenger's time / incumbent's) of each block.
        number: of the incumbent, the first is 1.
        rules: of the race.
    """
    share = rules.error / (number * (number + 1))  # of both ends: half of it lies at the one that is looked at
    return mean_interval(values, share), mean_interval(values, share / max(1, rules.arms - 1))


def is_out(interval: Interval, rules: Rules) -> bool:
    """Whether a challenger is shown not to be faster than the incumbent by more than the margin."""
    return interval.low > -math.log1p(rules.margin)


def overtakes(interval: Interval, rules: Rules) -> bool:
    """Whether the incumbent is shown not to be faster than a challenger that looks faster by more than the margin."""
    return interval.mean < 0 and interval.high < math.log1p(rules.margin)


def standing(
    arms: Sequence[str], first: str, turns: Iterable[Turns], rules: Rules, passed: Mapping[str, bool]
) -> Standing:
    """What the turns so far decide. The same turns give the same standing, whenever and in how many pieces they were taken.

    Args:
        arms: the candidates, `first` among them.
        first: the first incumbent, whose answers are right by definition.
        turns: in the order in which they were taken. Those of candidates that are not among `arms` count for nothing.
        rules: of the race.
        passed: of those whose answers were looked at, whether they are right; one that is wrong is out of the race.
    """
    pairs = _Pairs({}, {first: 1})
    for each in turns:
        pairs.add(each)
    left = [arm for arm in arms if passed.get(arm, True)]
    led, dropped = [first], dict[str, Dropped]()
    while True:
        incumbent = led[-1]
        number = pairs.number.get(incumbent, len(pairs.number) + 1)
        open_, faster = dict[str, Interval](), list[tuple[float, str]]()
        for arm in left:
            if arm in dropped or arm == incumbent:
                continue
            own, wide = intervals(pairs.between(arm, incumbent), number, rules)
            if is_out(own, rules):
                dropped[arm] = _dropped(incumbent, own)
                continue
            if overtakes(wide, rules):
                faster.append((own.mean, arm))
            open_[arm] = own
        known = [arm for _, arm in sorted(faster) if arm in passed]
        if not known:
            asks = tuple(arm for _, arm in sorted(faster))
            return Standing(incumbent, tuple(led), dropped, open_, asks)
        overtaken, _ = intervals(pairs.between(incumbent, known[0]), number, rules)
        dropped[incumbent] = _dropped(known[0], overtaken)
        led.append(known[0])


def _dropped(by: str, interval: Interval) -> Dropped:
    return Dropped(by, "slower" if interval.low > 0 else "not faster by more than the margin", interval)


def next_blocks(known: int) -> int:
    """How many blocks an open candidate gets next, by how many it has: half as many again."""
    return max(FIRST_BLOCKS, known // 2)


def order(found: Standing) -> list[str]:
    """Open candidates in the order of their next turns: those without any first, then those that look fastest."""
    return sorted(found.open, key=lambda arm: (found.open[arm].values > 0, found.open[arm].mean))


def race(
    arms: Sequence[str],
    first: str,
    rules: Rules,
    take: Callable[[str, str, int], Sequence[float]],
    is_right: Callable[[str], bool] = lambda arm: True,
    *,
    visit_blocks: int = 12,
    out_of_time: Callable[[], bool] = lambda: False,
    before: Collection[Turns] = (),
) -> Standing:
    """A whole race with turns that `take` makes.

    Args:
        arms, first, rules: as of `standing`.
        take: challenger, incumbent and number of blocks to their log ratios.
        is_right: whether a candidate's answers are right; asked once of each that would overtake.
        visit_blocks: the most blocks of a challenger before the next one's.
        out_of_time: asked before each visit.
        before: turns that are there already.
    """
    turns, passed = list(before), {first: True}
    while True:
        found = standing(arms, first, turns, rules, passed)
        if found.asks:
            passed[found.asks[0]] = is_right(found.asks[0])
            continue
        if not found.open or out_of_time():
            return found
        for arm in order(found):
            given = 0
            while given < visit_blocks and not out_of_time():
                blocks = next_blocks(found.open[arm].values)
                turns.append(Turns(arm, found.incumbent, tuple(take(arm, found.incumbent, blocks))))
                given += blocks
                found = standing(arms, first, turns, rules, passed)
                if found.asks or arm not in found.open:
                    break
            if found.asks:
                break
