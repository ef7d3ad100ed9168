"""What two versions of a library are compared by: their engines, their answers, and their latencies with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from temper.artifacts.manifest import read_document
from temper.comparison.experiments import baseline_key
from temper.comparison.tables import signed
from temper.measurement.record import Accuracy, LatencyRatio, Record, Workload
from temper.measurement.record_file import read_record
from temper.report.decide.paired_accuracy import counted_flips
from temper.report.formats import interval
from temper.report.markdown_table import markdown_table
from temper.statistics.multiple_comparisons import FAMILY_WISE, holm, quotient_p
from temper.statistics.paired_labels import mcnemar_exact_p, paired_difference_interval
from temper.statistics.ratio import Ratio, quotient, verdict

ABSENT = "–"
Faster = Literal["faster", "slower", "equal", "not told apart"]
Table = tuple[Sequence[str], Sequence[Sequence[str]], int]  # header, cells, how many columns from the left hold words


@dataclass(frozen=True)
class EngineRow:
    """One engine, built by two versions. Sizes in MiB. A build was timed once each: that says nothing of the versions."""

    engine: str
    versions: tuple[str, str]
    layers_by_precision: tuple[dict[str, int], dict[str, int]]
    size_mib: tuple[float, float]


@dataclass(frozen=True)
class LabelRow:
    """One candidate's answers with both versions, on the same test rows; None where they were not measured."""

    candidate: str
    versions: tuple[str, str]
    accuracy: tuple[float | None, float | None]  # 0–1, test split
    labels_changed: int | None
    difference_points: float | None  # the second version's accuracy minus the first's, with a 95 % interval of its own
    low_points: float | None
    high_points: float | None
    holm_p: float | None  # McNemar's exact test, corrected for all candidates
    differs: bool | None
    reason: str | None  # why there is nothing to compare


@dataclass(frozen=True)
class TimedRow:
    """One candidate's latency on one workload, the second version's over the first's: below 1 the second is faster."""

    candidate: str
    versions: tuple[str, str]
    workload: str
    ratio: float
    low: float  # of this row's own 95 % interval
    high: float
    holm_p: float  # of a difference within the margin, corrected for all rows
    verdict: Faster
    taken: Literal["in turns", "apart"]  # apart: out of each version's own ratio to the baseline
    latency_ms: tuple[float, float] | None  # of each version, where they were timed in turns: the ratio's statistic
    calls: int | None  # of each


@dataclass(frozen=True)
class Snapshot:
    """What two versions are compared by, read from the artifacts while they are there."""

    engines: Mapping[str, Mapping[str, Any]]
    records: Mapping[str, Record]


def engines_of(study: Mapping[str, Any], library: str) -> list[str]:
    """The engines that `library` builds."""
    built = {**study["engines"], **study.get("bucketed_engines", {})}
    return [name for name, row in built.items() if row["library"] == library]


def snapshot(study: Mapping[str, Any], library: str) -> Snapshot:
    """Engine manifests and records of the rows that use `library`; those that are not there are left out."""
    engines = {name: Path(f"artifacts/engines/{name}/engine.json") for name in engines_of(study, library)}
    candidates = [
        name for name, row in study["candidates"].items() if study["backends"][row["backend"]]["runner"] == library
    ]
    records = {name: Path(f"artifacts/measurements/{name}.json") for name in candidates}
    return Snapshot(
        {name: read_document(path) for name, path in engines.items() if path.is_file()},
        {name: read_record(path) for name, path in records.items() if path.is_file()},
    )


def _version(manifest: Mapping[str, Any]) -> str:
    return str(manifest.get("library_version", manifest["version_asked"]))


def _mib(manifest: Mapping[str, Any]) -> float:
    return round(float(manifest.get("size_bytes", 0)) / 1024**2, 2)


def engine_rows(before: Snapshot, after: Snapshot) -> list[EngineRow]:
    """Every engine that two versions built."""
    return [
        EngineRow(
            engine=name,
            versions=(_version(old), _version(new)),
            layers_by_precision=(old.get("layers_by_precision", {}), new.get("layers_by_precision", {})),
            size_mib=(_mib(old), _mib(new)),
        )
        for name, new in after.engines.items()
        if (old := before.engines.get(name)) is not None and _version(old) != _version(new)
    ]


def pairs_of(before: Snapshot, after: Snapshot) -> list[tuple[str, Record, Record]]:
    """Every candidate that two versions have a record of, by name."""
    found = [(name, before.records[name], new) for name, new in after.records.items() if name in before.records]
    return [(name, old, new) for name, old, new in found if len(set(_versions(old, new))) > 1]


def _versions(old: Record, new: Record) -> tuple[str, str]:
    return str(old.backend["library_version"]), str(new.backend["library_version"])


def label_rows(before: Snapshot, after: Snapshot) -> list[LabelRow]:
    """Every candidate that two versions have a record of: which labels changed, and whether its accuracy did."""
    pairs = pairs_of(before, after)
    counted = {}
    for name, old, new in pairs:
        own, other = new.accuracy, old.accuracy
        if isinstance(own, Accuracy) and isinstance(other, Accuracy) and own.labels == other.labels:
            counted[name] = counted_flips(own, other)
    tested = [mcnemar_exact_p(each.right_to_wrong, each.wrong_to_right) for each in counted.values()]
    corrected = dict(zip(counted, holm(tested), strict=True))
    found = []
    for name, old, new in pairs:
        flipped, low, high = counted.get(name), None, None
        if flipped is not None:
            low, high = paired_difference_interval(flipped.wrong_to_right, flipped.right_to_wrong, flipped.rows)
        found.append(
            LabelRow(
                candidate=name,
                versions=_versions(old, new),
                accuracy=(_accuracy(old), _accuracy(new)),
                labels_changed=flipped.differing if flipped else None,
                difference_points=100 * flipped.difference if flipped else None,
                low_points=None if low is None else 100 * low,
                high_points=None if high is None else 100 * high,
                holm_p=corrected.get(name),
                differs=corrected[name] < FAMILY_WISE if name in corrected else None,
                reason=None if flipped else _why_no_answers(old, new),
            )
        )
    return found


def _accuracy(record: Record) -> float | None:
    return record.accuracy.answers.accuracy if isinstance(record.accuracy, Accuracy) else None


def _why_no_answers(old: Record, new: Record) -> str:
    for record in (new, old):
        if not isinstance(record.accuracy, Accuracy):
            return f"{record.backend['library_version']}: {record.accuracy.reason}"
    return "the two versions answered other test rows"


@dataclass(frozen=True)
class Timed:
    """A ratio of one candidate and workload that was found, before it is corrected for the others."""

    candidate: str
    versions: tuple[str, str]
    workload: str
    ratio: Ratio
    taken: Literal["in turns", "apart"]
    latency_ms: tuple[float, float] | None = None
    calls: int | None = None


def timed_apart(name: str, old: Record, new: Record) -> list[Timed]:
    """A candidate's ratios out of each version's own to the baseline, where both were held against the same one."""
    if baseline_key(old) != baseline_key(new) or old.gpus != new.gpus:
        return []
    found = []
    for workload, own in new.workloads.items():
        other = old.workloads.get(workload)
        if not isinstance(own, Workload) or not isinstance(other, Workload):
            continue
        same = own.inputs_sha256 == other.inputs_sha256
        if same and isinstance(own.ratio, LatencyRatio) and isinstance(other.ratio, LatencyRatio):
            found.append(Timed(name, _versions(old, new), workload, quotient(own.ratio, other.ratio), "apart"))
    return found


def _faster(found: Ratio, holm_p: float, margin: float) -> Faster:
    """By the corrected test; 'equal' where the interval lies within the margin."""
    if holm_p < FAMILY_WISE:
        return "faster" if found.ratio < 1 else "slower"
    return "equal" if verdict(found, margin) == "tie" else "not told apart"


def timed_rows(found: Sequence[Timed], margin: float) -> list[TimedRow]:
    """Verdicts of all ratios of one comparison, corrected by Holm for how many they are.

    Args:
        found: the ratios.
        margin: `latency_margin`: a difference that does not count, as a share.
    """
    corrected = holm([quotient_p(each.ratio, margin) for each in found])
    return [
        TimedRow(
            candidate=each.candidate,
            versions=each.versions,
            workload=each.workload,
            ratio=each.ratio.ratio,
            low=each.ratio.low,
            high=each.ratio.high,
            holm_p=p,
            verdict=_faster(each.ratio, p, margin),
            taken=each.taken,
            latency_ms=each.latency_ms,
            calls=each.calls,
        )
        for each, p in zip(found, corrected, strict=True)
    ]


def _pair(values: Sequence[Any], form: str) -> str:
    return " → ".join(ABSENT if value is None else format(value, form) for value in values)


def _layers(side: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {precision}" for precision, count in sorted(side.items())) or ABSENT


def engines_table(engines: Sequence[EngineRow]) -> Table:
    """Versions, layers by precision and sizes."""
    lines = [
        [
            row.engine,
            " → ".join(row.versions),
            "as before: " + _layers(row.layers_by_precision[1])
            if row.layers_by_precision[0] == row.layers_by_precision[1]
            else " → ".join(map(_layers, row.layers_by_precision)),
            _pair(row.size_mib, ".2f"),
        ]
        for row in engines
    ]
    return ("engine", "version", "layers by precision", "size MiB"), lines, 3


def labels_table(labels: Sequence[LabelRow]) -> Table:
    """What both versions answered, for the candidates of which both did."""
    lines = []
    for row in labels:
        if row.difference_points is None or row.low_points is None or row.high_points is None:
            continue
        accuracies = [None if value is None else 100 * value for value in row.accuracy]
        points = f"{signed(row.difference_points)} [{signed(row.low_points)}, {signed(row.high_points)}]"
        said = "differs" if row.differs else "not told apart"
        lines.append([row.candidate, _pair(accuracies, ".2f"), str(row.labels_changed), points, said])
    return ("candidate", "accuracy %", "labels changed", "points [95 %]", "accuracy"), lines, 1


def timed_table(timed: Sequence[TimedRow]) -> Table:
    """Latencies of the second version over the first's."""
    lines = [
        [
            row.candidate,
            row.workload,
            ABSENT if row.latency_ms is None else _pair(row.latency_ms, ".3f"),
            interval(row.ratio, row.low, row.high),
            row.verdict,
        ]
        for row in timed
    ]
    return ("candidate", "workload", "ms", "× [95 %]", "new version"), lines, 2


def as_markdown(table: Table) -> str:
    """A table as Markdown; '' where it has no lines."""
    header, lines, words = table
    return markdown_table(header, lines, words) if lines else ""
