"""What a table of results cannot show, in the order of what it would change for a reader."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from temper.artifacts.claims import claimed_precisions
from temper.measurement.record import NotMeasured, Record, Workload
from temper.report.decide.compared import ComparedCandidate, ComparedStudy, Noise
from temper.report.decide.compared_accuracy import Missing
from temper.report.decide.compared_workload import ComparedWorkload
from temper.report.decide.decided import Decision
from temper.report.formats import judged_by
from temper.report.serving import padding_notes
from temper.report.tables import rows

SHOWN = 5  # notes on the terminal
NAMED = 3  # candidates that such a note names; the rest is a number


class Kind(IntEnum):
    """What a note is about, ranked by what it would change for who reads the choice and the table.

    First what says that the chosen file should not be served, then what says that a figure is not what it seems, then what
    other files might have been chosen, then what would come out otherwise elsewhere or another day, and at the end what
    explains a figure that stands as it is.
    """

    CHOICE = 1  # the model or the choice is worth less than it seems
    DISTURBED = 2  # a latency does not hold: the machine was not quiet, or its baseline moved
    UNDECIDED = 3  # more test rows would decide whether a candidate may be chosen
    OTHER_LOGITS = 4  # labels may agree, but the answers are not those of the model
    IN_NAME_ONLY = 5  # a row says INT8 or FP8 and ran in something else
    BATCH = 6  # labels depend on the batch size
    NOISE = 7  # differences that this machine cannot tell
    CUT = 8  # test rows were cut to the length that a candidate accepts
    SLOWER = 9  # a lower precision that is not faster, and why
    PADDING = 10
    BESIDE = 11  # beside the baseline it has another latency than alone
    APART = 12  # not timed in turns
    WATCHED = 13  # the machine was not quiet, and the latencies hold
    NULL_BACKEND = 14  # what disturbed the backend that computes nothing
    NOT_MEASURED = 15  # the table says so already
    READING = 16  # how the columns are to be read


@dataclass(frozen=True)
class Note:
    """One thing to say.

    Args:
        kind: what it is about.
        text: a sentence with its figures, without a full stop at the end.
        about: the candidate or the workload that it is about; '' where it is about all.
        short: what is said of it where several of its kind share a line; '' where that is the text.
    """

    kind: Kind
    text: str
    about: str = ""
    short: str = ""


# what a line says that stands for several notes of a kind; `about` and `short` of each follow
_TOGETHER = {
    Kind.CHOICE: "",
    Kind.DISTURBED: "latencies that do not hold: ",
    Kind.UNDECIDED: "accuracy undecided (test rows that would decide): ",
    Kind.OTHER_LOGITS: "logits unlike the baseline's (largest difference): ",
    Kind.IN_NAME_ONLY: "in name only: ",
    Kind.BATCH: "other labels in other batches (rows): ",
    Kind.NOISE: "below this it is a tie on this machine: ",
    Kind.CUT: "test rows that were cut: ",
    Kind.SLOWER: "lower precision, and slower: ",
    Kind.PADDING: "tokens that are padding: ",
    Kind.BESIDE: "another latency beside the baseline than alone: ",
    Kind.WATCHED: "the machine was not quiet, and the figures hold: ",
}


def first_notes(found: Sequence[Note]) -> list[str]:
    """The notes for a terminal: at most `SHOWN` lines, each for all notes of a kind, in the order of `Kind`.

    Args:
        found: all notes of a report.
    """
    lines = []
    for kind, together in _TOGETHER.items():
        own = [note for note in found if note.kind is kind]
        by_name = {note.about: note for note in reversed(own)}  # the first of each
        if len(own) == 1 or not together:
            lines += [note.text for note in own]
        elif own:
            lines.append(together + _listed([note for note in own if by_name[note.about] is note]))
    return lines[:SHOWN]


def _listed(named: Sequence[Note]) -> str:
    """'a (1), b (2), c (1) and 4 more', or 'a, b, c and 4 more (1)' where the same is said of all."""
    shorts = {note.short for note in named}
    once = shorts.pop() if len(shorts) == 1 else ""
    told = [note.about if once or not note.short else f"{note.about} ({note.short})" for note in named[:NAMED]]
    rest = len(named) - NAMED
    return ", ".join(told) + (f" and {rest} more" if rest > 0 else "") + (f" ({once})" if once else "")


def notes(records: Sequence[Record], comparison: ComparedStudy, decision: Decision) -> list[Note]:
    """All there is to say beside the table, by rank and within a rank in the order of the records.

    Args:
        records: of all candidates.
        comparison: what `compare_records` made of them.
        decision: what `decide` made of both.
    """
    found = [
        Note(Kind.CHOICE, warning)
        for warning in dict.fromkeys(each for own in decision.workloads.values() for each in own.warnings)
    ]
    for record in records:
        compared = comparison.candidates[record.candidate]
        own = [*_of_record(record, compared), *_of_accuracy(record, compared), *_of_latencies(record, compared)]
        if record.backend["runner"] == "null":  # no candidate: what disturbs it changes no choice
            own = [replace(note, kind=Kind.NULL_BACKEND) if note.kind is Kind.DISTURBED else note for note in own]
        found += own
    found += _of_padding(records)
    found += [Note(Kind.PADDING, text) for text in padding_notes(rows(records, comparison))]
    found += _of_noise(comparison)
    found += _reading(comparison)
    return sorted(found, key=lambda note: note.kind)


def _of_record(record: Record, compared: ComparedCandidate) -> Iterator[Note]:
    """What a record says by itself."""
    measured = [cell for cell in compared.workloads.values() if cell.is_measured]
    holds = bool(measured) and all(cell.holds for cell in measured)
    if record.status == "not measured":
        yield Note(Kind.NOT_MEASURED, f"{record.candidate}: not measured: {record.reason}", record.candidate)
    for warning in record.warnings:
        kind, short = (Kind.WATCHED, "") if holds else (Kind.DISTURBED, "the machine was not quiet")
        yield Note(kind, f"{record.candidate}: {warning}", record.candidate, short)
    accuracy = record.accuracy
    if isinstance(accuracy, NotMeasured):
        if record.status == "measured":
            text = f"{record.candidate}: accuracy not measured: {accuracy.reason}"
            yield Note(Kind.NOT_MEASURED, text, record.candidate)
    elif accuracy.answers.cut_rows:
        cut = f"{accuracy.answers.cut_rows:,}"
        text = f"{record.candidate}: {cut} test rows were cut to the length it accepts"
        yield Note(Kind.CUT, text, record.candidate, cut)
    claimed = claimed_precisions((record.candidate, record.artifact.loads if record.artifact else ""))
    executed = [
        w.executed["products_by_precision"] for w in record.workloads.values() if isinstance(w, Workload) and w.executed
    ]
    for precision in claimed:
        if executed and not any(products.get(precision) for products in executed):
            ran = " and ".join(sorted(executed[0])) or "nothing"
            text = f"{record.candidate}: {precision} in name only: its products ran in {ran}"
            yield Note(Kind.IN_NAME_ONLY, text, record.candidate, f"ran in {ran}")


def _of_accuracy(record: Record, compared: ComparedCandidate) -> Iterator[Note]:
    accuracy, paired = compared.accuracy, compared.paired
    by_size = {} if isinstance(accuracy, Missing) else accuracy.labels_differing_by_batch_size
    for size, differing in by_size.items():
        told = {0: "no row", 1: "1 row"}.get(differing, f"{differing:,} rows")
        text = f"{record.candidate}: in batches of {size} it answers {told} otherwise than in those the table counts"
        # a record of a file whose answers do not depend on the batch holds a 0: no news on a terminal
        yield Note(Kind.BATCH if differing else Kind.READING, text, record.candidate, f"{differing:,}")
    if paired is None:
        return
    if paired.largest_logit_difference > paired.baseline_logit_span:
        largest = f"{paired.largest_logit_difference:.3g}"
        text = (
            f"{record.candidate}: its logits differ from the baseline's by up to {largest}, more than all of the baseline's lie "
            f"apart ({paired.baseline_logit_span:.3g}): where labels agree it is by chance, and its confidences mean nothing"
        )
        yield Note(Kind.OTHER_LOGITS, text, record.candidate, largest)
    if needed := paired.rows_that_would_decide:
        text = f"{record.candidate}: accuracy undecided; about {needed:,} test rows would decide"
        yield Note(Kind.UNDECIDED, text, record.candidate, f"{needed:,}")


def _of_latencies(record: Record, compared: ComparedCandidate) -> Iterator[Note]:
    for name, cell in compared.workloads.items():
        at = f"{record.candidate}, {name}"
        if cell.why_apart:
            yield Note(Kind.APART, f"{at}: not timed in turns: {cell.why_apart}", record.candidate, name)
        if not cell.is_measured:
            if record.status == "measured":
                own = record.workloads[name]
                lost = isinstance(own, NotMeasured)
                text = f"{at}: {'not measured' if lost else 'no ratio'}: {cell.reason}"
                busy = getattr(own, "cause", None) == "busy"
                if record.backend["runner"] == "null" and not lost:
                    continue  # nothing is compared with it
                kind = Kind.DISTURBED if busy else Kind.NOT_MEASURED
                yield Note(kind, text, record.candidate, f"{name}: busy" if busy else name)
            continue
        yield from _of_disturbance(record, name, cell)
        if why := cell.not_faster:
            text = (
                f"{at}: {why.precision} takes {why.relative_latency:.2f} times as long as "
                f"{why.compared_with}: {why.case}: {why.evidence}"
            )
            yield Note(Kind.SLOWER, text, record.candidate, why.case)


def _of_disturbance(record: Record, name: str, cell: ComparedWorkload) -> Iterator[Note]:
    at = f"{record.candidate}, {name}"
    if not cell.holds:
        yield Note(Kind.DISTURBED, f"{at}: does not hold: {cell.why_not}", record.candidate)
    if cell.timed and cell.timed.disturbed and record.backend["runner"] != "null":
        slower = "slower" if cell.timed.disturbance > 0 else "faster"
        share = f"{100 * abs(cell.timed.disturbance):.0f} %"
        text = f"{at}: beside the baseline it is {share} {slower} than alone"
        yield Note(Kind.BESIDE, text, record.candidate, f"{share} {slower}")


def _of_padding(records: Sequence[Record]) -> list[Note]:
    shares = {
        name: workload.padding_share
        for record in records
        for name, workload in record.workloads.items()
        if not isinstance(workload, NotMeasured)
    }
    return [
        Note(
            Kind.PADDING, f"workload {name}: {100 * share:.0f} % of the timed tokens are padding", name, f"{share:.0%}"
        )
        for name, share in shares.items()
        if share
    ]


def _of_noise(comparison: ComparedStudy) -> Iterator[Note]:
    for name, own in comparison.noise.items():
        if isinstance(own, Noise):
            told = f"{100 * own.smallest_difference_told:.1f} %"
            text = (
                f"workload {name}: the baseline beside itself is {own.ratio:.3f} [{own.low:.3f}, {own.high:.3f}]; this "
                f"machine could have told a ratio from 1 that is {told} off"
            )
            yield Note(Kind.NOISE, text, name, told)


def _reading(comparison: ComparedStudy) -> list[Note]:
    """How the columns of the table are to be read."""
    margin, judged = comparison.margin, judged_by(comparison)
    return [
        Note(
            Kind.READING,
            f"× is the median latency (the mean for real lengths) over {comparison.baseline}'s, both timed in turns in one "
            f"process unless said otherwise, with a 95 % bootstrap interval over blocks: win below {1 - margin:g}, loss above "
            f"{1 + margin:g}, tie inside, by the whole interval. samples/s is saturated.",
        ),
        Note(
            Kind.READING,
            f"difference is the {judged} minus the baseline's on the same rows with a 95 % interval "
            f"({'Tango 1998' if judged == 'accuracy' else 'paired bootstrap'}): within, beyond "
            f"or undecided against a budget of {comparison.budget_points:g} points; flips are labels that differ",
        ),
    ]
