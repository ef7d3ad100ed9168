"""artifacts/report/engineering_observations.md: what the rules find in the records, each with the records it rests on."""

from collections.abc import Mapping, Sequence

from temper.measurement.record import Record
from temper.report.decide.compared import ComparedStudy
from temper.report.decide.decided import Decision
from temper.report.observe.observation import Facts, Observation
from temper.report.observe.rules import RULES


def observe(records: Sequence[Record], comparison: ComparedStudy, decision: Decision) -> dict[str, list[Observation]]:
    """The observations of every rule that found any, by the rule's title.

    Args:
        records: of all candidates, in the order of params.yaml.
        comparison: what `compare_records` made of them.
        decision: what `decide` made of them.

    Raises:
        ValueError: an observation names no record, or one that is not there: a rule is wrong.
    """
    facts, known = Facts(records, comparison, decision), {record.candidate for record in records}
    found: dict[str, list[Observation]] = {}
    for title, rule in RULES:
        for observation in rule(facts):
            strangers = sorted(set(observation.records) - known)
            if strangers:
                raise ValueError(f"{title}: it rests on {', '.join(strangers)}, of which there is no record")
            found.setdefault(title, []).append(observation)
    return found


def _lines(found: Mapping[str, Sequence[Observation]], heading: str) -> list[str]:
    page: list[str] = []
    for title, observations in found.items():
        page += [heading.format(title), ""]
        page += [f"- {each.text}. *Records: {', '.join(each.records)}.*" for each in observations]
        page += [""]
    return page


def observations_markdown(records: Sequence[Record], comparison: ComparedStudy, decision: Decision) -> str:
    """The observations as a page of their own."""
    page = [
        f"# Engineering observations: {comparison.study}",
        "",
        "Written by rules from the records of this study (artifacts/measurements/): each line names the records it rests on, and "
        "where the records hold nothing there is no line. × is one latency over another, with a 95 % interval; faster, slower "
        f"and as fast are told by the whole interval and a margin of {comparison.margin:g}.",
        "",
        *_lines(observe(records, comparison, decision), "## {}"),
    ]
    return "\n".join(page)


def observations_part(records: Sequence[Record], comparison: ComparedStudy, decision: Decision) -> str:
    """The same for a page of the documentation, without its title."""
    return "\n".join(_lines(observe(records, comparison, decision), "**{}**"))
