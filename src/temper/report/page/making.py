"""How the figures were made: the machine, its conditions, settings, what was not measured and why, the graph of jobs."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from temper.measurement.record import Record, Workload
from temper.report.notes import Kind, notes
from temper.report.page.formats import count, figure, percent
from temper.report.page.material import Material
from temper.report.page.svg import drawing, tag

Facts = list[tuple[str, str]]
KINDS = {
    Kind.CHOICE: "the model and the choice",
    Kind.DISTURBED: "latencies that do not hold",
    Kind.UNDECIDED: "accuracy undecided",
    Kind.OTHER_LOGITS: "logits unlike the baseline's",
    Kind.IN_NAME_ONLY: "precisions in name only",
    Kind.BATCH: "other labels in other batches",
    Kind.NOISE: "noise floor",
    Kind.CUT: "test rows that were cut",
    Kind.SLOWER: "lower precision, and not faster",
    Kind.PADDING: "padding",
    Kind.BESIDE: "another latency beside the baseline than alone",
    Kind.APART: "not timed in turns",
    Kind.WATCHED: "the machine was not quiet, and the figures hold",
    Kind.NULL_BACKEND: "the backend that computes nothing",
    Kind.NOT_MEASURED: "not measured",
    Kind.READING: "how the columns are to be read",
}


def machine_line(records: Sequence[Record]) -> str:
    """'AMD EPYC, 2 cores, NVIDIA H200': what was measured on; several machines one after the other."""
    seen = dict.fromkeys(
        (str(record.machine["cpu"]), record.machine["cores_usable"], *(gpu["name"] for gpu in record.gpus))
        for record in records
    )
    lines = []
    for cpu, cores, *gpus in seen:
        counted = [f"{number} × {name}" if number > 1 else str(name) for name, number in Counter(gpus).items()]
        lines.append(", ".join([str(cpu), f"{cores} cores", *counted]))
    return "; ".join(lines)


def machine_facts(records: Sequence[Record]) -> Facts:
    """The machine and what was seen of it before and after each candidate."""
    first = records[0].machine
    found = [
        ("machine", machine_line(records)),
        ("system", f"{first.get('system', '')} {first.get('architecture', '')}"),
    ]
    drivers = dict.fromkeys(f"{gpu['name']}, driver {gpu['driver']}" for record in records for gpu in record.gpus)
    found += [("GPU", each) for each in drivers]
    loads = [
        seen["cpu"]["load_average_1min"]
        for record in records
        for seen in (record.conditions_before, record.conditions_after)
        if seen.get("cpu", {}).get("load_average_1min") is not None
    ]
    if loads:
        found.append(("load of the last minute", f"{figure(min(loads))} to {figure(max(loads))}"))
    governors = {str(r.conditions_before.get("cpu", {}).get("governor")) for r in records} - {"None"}
    if governors:
        found.append(("governor", ", ".join(sorted(governors))))
    watched = [
        workload.contention
        for record in records
        for workload in record.workloads.values()
        if isinstance(workload, Workload) and workload.contention
    ]
    if watched:
        shares = [each.others_share for each in watched if each.others_share is not None]
        found.append(
            ("others on the machine", f"up to {percent(max(shares))} of its processors" if shares else "not known")
        )
        loops = [each.fixed_loop_us.median for each in watched if each.fixed_loop_us is not None]
        if loops:
            found.append(("a fixed loop took the processor", f"{figure(min(loops))} to {figure(max(loops))} µs"))
        found.append(("turns taken again", count(sum(each.dropped_turns for each in watched))))
        found.append(("waited for quiet", f"{figure(sum(each.waited_s for each in watched))} s"))
    return [(name, value) for name, value in found if value.strip()]


def measurement_facts(records: Sequence[Record]) -> Facts:
    """The section `measurement:` as the records have it; the names hold the units."""
    return [(key, _plain(value)) for key, value in sorted(records[0].measurement.items())]


def _plain(value: Any) -> str:
    return (
        ", ".join(map(_plain, value))
        if isinstance(value, list)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def versions(records: Sequence[Record]) -> Facts:
    """Libraries that any candidate ran with, and their versions."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        for name, version in record.versions.items():
            found.setdefault(name, {})[version] = None
    return [(name, ", ".join(found[name])) for name in sorted(found)]


def not_measured(material: Material) -> list[tuple[str, str, str]]:
    """Candidate, what of it, and why: everything that has a dash somewhere above."""
    found = []
    for record in material.records:
        if record.status == "not measured":
            found.append((record.candidate, "everything", record.reason or ""))
            continue
        for name, workload in record.workloads.items():
            if not isinstance(workload, Workload):
                found.append((record.candidate, f"latency, {name}", workload.reason))
        if material.predicts(record) and record.accuracy.status == "not measured":
            found.append((record.candidate, "accuracy", record.accuracy.reason))
    return found


def notes_by_kind(material: Material) -> list[tuple[str, list[str]]]:
    """Everything that a table cannot show, under what it is about."""
    found: dict[Kind, list[str]] = {}
    for note in notes(material.records, material.compared, material.decision):
        found.setdefault(note.kind, []).append(note.text)
    return [(KINDS[kind], texts) for kind, texts in found.items()]


_STAGES = (
    ("prepare_data", "data"),
    ("fine_tune", "checkpoint"),
    ("export_onnx", "ONNX"),
    ("calibrate", "calibrations"),
    ("search_layers", "layer search"),
    ("convert_precision", "precisions"),
    ("train_quantized", "trained with quantisation"),
    ("choose_buckets", "buckets"),
    ("build_engine", "engines"),
    ("measure", "measurements"),
    ("remeasure", "taken again"),
    ("load_test", "load tests"),
    ("report", "report"),
)


def job_graph(material: Material) -> Markup:
    """Kinds of jobs from data to report with how many there are of each, and which reads what of which; '' without jobs."""
    by_rule: dict[str, list[Any]] = {}
    made_by: dict[str, str] = {}
    for job in (material.beside.jobs if material.beside else {}).values():
        by_rule.setdefault(str(job["rule"]), []).append(job)
        made_by |= dict.fromkeys(job.get("outputs", {}), str(job["rule"]))
    if "report" not in by_rule or not any(job.get("inputs") for jobs in by_rule.values() for job in jobs):
        return Markup("")
    edges = {
        (made_by[file], rule)
        for rule, jobs in by_rule.items()
        for job in jobs
        for file in job.get("inputs", {})
        if file in made_by and made_by[file] != rule
    }
    shown = [(rule, title) for rule, title in _STAGES if rule in by_rule]
    depth: dict[str, int] = {}
    for rule, _ in shown:
        depth[rule] = max((depth[one] + 1 for one, other in edges if other == rule and one in depth), default=0)
    needed = {
        (one, other) for one, other in edges if one in depth and other in depth and not _is_implied(one, other, edges)
    }
    columns: dict[int, list[str]] = {}
    for rule, _ in shown:
        columns.setdefault(depth[rule], []).append(rule)
    width, tall, wide = 128.0, 62.0, 104.0
    rows = max(map(len, columns.values()))
    at = {
        rule: (8 + width * column, 8 + tall * (place + (rows - len(own)) / 2))
        for column, own in columns.items()
        for place, rule in enumerate(own)
    }
    parts = []
    for one, other in sorted(needed):
        (x1, y1), (x2, y2) = at[one], at[other]
        start, end = (x1 + wide, y1 + 20), (x2, y2 + 20)
        bend = (end[0] - start[0]) / 2
        line = f"M{start[0]:g} {start[1]:g}c{bend:g} 0 {bend:g} {end[1] - start[1]:g} {end[0] - start[0]:g} {end[1] - start[1]:g}"
        parts.append(tag("path", d=line, class_="edge"))
    titles = dict(shown)
    for rule, (x, y) in at.items():
        parts += [
            tag("rect", x=x, y=y, width=wide, height=40, rx=7, class_="job"),
            tag(
                "text",
                titles[rule] if len(titles[rule]) < 17 else titles[rule][:15] + "…",
                x=x + wide / 2,
                y=y + 17,
                class_="small middle strong",
            ),
            tag(
                "text",
                f"{len(by_rule[rule])} job{'s' if len(by_rule[rule]) > 1 else ''}",
                x=x + wide / 2,
                y=y + 32,
                class_="small middle",
            ),
        ]
    said = "Jobs: " + ", ".join(f"{len(by_rule[rule])} {title}" for rule, title in shown)
    return drawing(
        16 + width * len(columns) - (width - wide),
        16 + tall * rows - (tall - 40),
        *parts,
        label=said,
        class_="chart graph",
    )


def _is_implied(one: str, other: str, edges: set[tuple[str, str]]) -> bool:
    """Whether there is a longer way from one kind of job to the other: the direct line says nothing more.

    A way that comes back to the first is none: a search reads a file that the rule which reads its answer has made.
    """
    seen, queue = {one}, [end for start, end in edges if start == one and end != other]
    while queue:
        at = queue.pop()
        if at == other:
            return True
        if at not in seen:
            seen.add(at)
            queue += [end for start, end in edges if start == at]
    return False
