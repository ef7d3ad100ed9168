"""A comparison as a person reads it: rows with what is shown of them, pairs, and what the table cannot say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from temper.comparison.experiments import ABSENT as NOT_SET
from temper.comparison.pairs import (
    AccuracyPair,
    LatencyPair,
    accuracy_pairs,
    against_baseline,
    answered_alike,
    latency_pairs,
    timed_alike,
)
from temper.comparison.rows import Cell, Row
from temper.report.formats import ABSENT, in_order
from temper.statistics.multiple_comparisons import by_what_is_shown, letters

SETTING_COLUMNS = 3  # a column each for so many settings; more of them share one, which a terminal can wrap
MOST_PAIRS_SHOWN = 6  # where a person reads them first; comparison.md has all


@dataclass(frozen=True)
class Comparison:
    """Rows in the order of what is shown, and every pair of them."""

    rows: tuple[Row, ...]
    accuracy: tuple[AccuracyPair, ...]
    latency: Mapping[str, tuple[LatencyPair, ...]]  # by workload
    margin: float  # of latencies, as a share

    @property
    def workloads(self) -> list[str]:
        """In their own order: b4 before b16."""
        return in_order(name for row in self.rows for name in row.cells)

    def better_than(self, row: int) -> list[int]:
        """Numbers of the rows whose accuracy was shown to be below this one's."""
        return [pair.better[1] for pair in self.accuracy if pair.better and pair.better[0] == row]

    def worse_than(self, row: int) -> list[int]:
        """Numbers of the rows whose accuracy was shown to be above this one's."""
        return [pair.better[0] for pair in self.accuracy if pair.better and pair.better[1] == row]


def comparison_of(found: Sequence[Row], margin: float) -> Comparison:
    """Compare every two rows, and order the rows by what was shown.

    Args:
        found: the rows, in the order that those not told apart keep.
        margin: `latency_margin` of the study.
    """
    better = [pair.better for pair in accuracy_pairs(found) if pair.better]
    answered = set(answered_alike(found))
    order = by_what_is_shown(len(found), better)
    ordered = [found[number] for number in sorted(order, key=lambda number: number not in answered)]
    workloads = in_order(name for row in ordered for name in row.cells)
    timed = latency_pairs(ordered, workloads, margin)
    latency = {name: tuple(pair for pair in timed if pair.workload == name) for name in workloads}
    return Comparison(tuple(ordered), tuple(accuracy_pairs(ordered)), latency, margin)


def _letters(count: int, members: Sequence[int], pairs: Sequence[AccuracyPair | LatencyPair]) -> list[str]:
    """The letters of each row, '' for those that were not compared."""
    place = {member: number for number, member in enumerate(members)}
    differing = [(place[pair.first], place[pair.second]) for pair in pairs if pair.shown == "differs"]
    own = letters(len(members), differing)
    return [own[place[row]] if row in place and len(members) > 1 else "" for row in range(count)]


def letters_of(found: Comparison) -> list[str]:
    """The letters of each row by accuracy: two rows that share one are not told apart; '' for one that was not compared."""
    return _letters(len(found.rows), answered_alike(found.rows), found.accuracy)


def signed(value: float) -> str:
    """Points with their sign: '−0.34'; a difference of none has no sign."""
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "−")


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each dotted key, where no other key ends so."""
    ends = [key.rpartition(".")[2] for key in keys]
    return {key: end if ends.count(end) == 1 else key for key, end in zip(keys, ends, strict=True)}


def _who(found: Comparison, with_settings: bool = True) -> tuple[list[str], list[list[str]]]:
    """The columns that say which row it is: experiment and what changed, where there are several, and the candidate."""
    keys = short_names(found.rows[0].changed_keys if found.rows and with_settings else [])
    named = len({row.name for row in found.rows}) > 1
    own: dict[str, list[str]] = {
        name: [", ".join(map(str, row.values(key))) for row in found.rows] for key, name in keys.items()
    }
    if len(own) > SETTING_COLUMNS:  # methods have options of their own, which the others lack
        own = {"settings": [_in_one_cell(values) for values in _by_row(own)]}
    header = [*(["experiment"] if named else []), *own, "candidate"]
    return header, [
        [*([row.name] if named else []), *(values[number] for values in own.values()), row.candidate]
        for number, row in enumerate(found.rows)
    ]


def _by_row(columns: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _in_one_cell(values: Mapping[str, str]) -> str:
    """'method nncf, samples 8': what a row sets."""
    return ", ".join(f"{name} {value}" for name, value in values.items() if value != NOT_SET)


def settings_lines(found: Comparison) -> list[str]:
    """'nncf-8: method nncf, samples 8': what each experiment sets, for a terminal without room for it in a table."""
    names = short_names(found.rows[0].changed_keys if found.rows else [])
    own = {row.name: {name: ", ".join(map(str, row.values(key))) for key, name in names.items()} for row in found.rows}
    return [f"{row}: {_in_one_cell(values)}" for row, values in own.items() if names]


def accuracy_table(found: Comparison, *, with_settings: bool = True) -> tuple[list[str], list[list[str]]]:
    """Header and cells. Rows that share a letter are not told apart."""
    groups = letters_of(found)
    header, lines = _who(found, with_settings)
    header = [*header, "accuracy %", "− baseline's, points", "flips", "better : worse"]
    for number, (line, row) in enumerate(zip(lines, found.rows, strict=True)):
        away = against_baseline(row)
        shown = f"{len(found.better_than(number))} : {len(found.worse_than(number))}"
        line += [
            ABSENT if row.accuracy is None else f"{100 * row.accuracy:.2f} {groups[number]}".strip(),
            ABSENT if away is None else f"{signed(away[0])} [{signed(away[1])}, {signed(away[2])}]",
            ABSENT if row.labels_differing is None else str(row.labels_differing),
            shown if groups[number] else ABSENT,
        ]
    return header, lines


def _latency(cell: Cell | None, letter: str) -> str:
    if cell is None:
        return ABSENT
    mark = letter if cell.holds else "!" if cell.holds is False else "?"
    return f"{cell.ratio:.3f} ±{50 * (cell.high - cell.low) / cell.ratio:.0f} % {mark}".rstrip()


def latency_table(found: Comparison) -> tuple[list[str], list[list[str]]]:
    """Header and cells: each workload's latency over the baseline's. Rows that share a letter in a column are not told apart."""
    speeds = {
        name: _letters(len(found.rows), timed_alike(found.rows, name), found.latency[name]) for name in found.workloads
    }
    header, lines = _who(found, with_settings=False)
    for number, (line, row) in enumerate(zip(lines, found.rows, strict=True)):
        line += [_latency(row.cells.get(name), speeds[name][number]) for name in found.workloads]
    timed = [line for line, row in zip(lines, found.rows, strict=True) if row.cells]
    return [*header, *(f"{name} ×" for name in found.workloads)], timed


def _label(found: Comparison, number: int) -> str:
    """A row's name beside others: the experiment, the candidate, or both where both differ."""
    experiments, candidates = {row.name for row in found.rows}, {row.candidate for row in found.rows}
    row = found.rows[number]
    parts = [row.experiments[0]] if len(experiments) > 1 else []
    return " ".join([*parts, *([row.candidate] if len(candidates) > 1 or not parts else [])])


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def pairs_table(found: Comparison, most: int | None = None) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the pairs by accuracy, those that differ first, the surest first; at most so many."""
    header = ["pair", "points [95 %]", "flips", "only one right", "p, Holm", "accuracy"]
    lines = []
    for pair in sorted(found.accuracy, key=lambda pair: pair.holm_p)[:most]:
        first, second = pair.first, pair.second
        values, right = (
            (pair.difference_points, pair.low_points, pair.high_points),
            (pair.first_only_right, pair.second_only_right),
        )
        if pair.better is None or pair.better[0] == first:
            points = f"{signed(values[0])} [{signed(values[1])}, {signed(values[2])}]"
        else:
            first, second, right = second, first, right[::-1]
            points = f"{signed(-values[0])} [{signed(-values[2])}, {signed(-values[1])}]"
        said = "better" if pair.better else "not told apart"
        names = f"{_label(found, first)} − {_label(found, second)}"
        lines.append([names, points, str(pair.labels_differing), f"{right[0]} : {right[1]}", _p(pair.holm_p), said])
    return header, lines


def remarks(found: Comparison) -> list[str]:
    """How the table is read, in at most four lines, and which ratios were not compared."""
    lines = []
    if found.accuracy:
        differ = sum(pair.shown == "differs" for pair in found.accuracy)
        lines.append(
            f"{differ} of {len(found.accuracy)} pairs differ in accuracy (exact McNemar test on the same "
            f"{found.accuracy[0].rows:,} rows; Holm's correction: a chance of 5 % at most that any of them is wrong)."
        )
        lines.append(
            "Rows that share a letter in a column are not told apart by it, which does not prove them equal. The order says no "
            "more than 'better : worse' does: how many rows each was shown to be better and worse than."
        )
    apart = [
        row
        for number, row in enumerate(found.rows)
        if row.labels is not None and number not in answered_alike(found.rows)
    ]
    lines += [f"{row.name} {row.candidate}: answered other test rows, its accuracy is not compared." for row in apart]
    if found.workloads:
        lines.append(
            "× is the latency over the baseline's, below 1 is faster; ± its 95 % interval. Two of them are compared by their "
            f"quotient, corrected likewise, and differ where it is shown to be beyond {100 * found.margin:.0f} %."
        )
    return lines + _unheld(found)


def _unheld(found: Comparison) -> list[str]:
    """Which ratios were not compared."""
    cells = [(number, name, cell) for number, row in enumerate(found.rows) for name, cell in row.cells.items()]
    broken, lines = [each for each in cells if each[2].holds is False], []
    if broken:
        number, name, cell = broken[0]
        more = f" (and {len(broken) - 1} more; comparison.json says why)" if len(broken) > 1 else ""
        why = cell.why_not or "it was disturbed"
        lines.append(f"! does not hold and is not compared: {_label(found, number)}, {name}: {why}{more}")
    if any(cell.holds is None for *_, cell in cells):
        lines.append("? is not compared: its report does not say whether it holds (those of before do not).")
    return lines


def markdown(title: str, found: Comparison, notes: Sequence[str], most_pairs: int | None = None) -> str:
    """Rows and pairs as a Markdown page, all pairs where no number says how many."""
    page = [f"# {title}"]
    for header, lines in (accuracy_table(found), latency_table(found), pairs_table(found, most_pairs)):
        if lines:
            page += ["", *_markdown_table(header, lines)]
    return "\n".join([*page, "", *(f"- {note}" for note in notes), ""])


def _markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    rule = "| " + " | ".join(["---"] * len(header)) + " |"
    return ["| " + " | ".join(header) + " |", rule, *("| " + " | ".join(cells) + " |" for cells in lines)]
