"""Tables in the documentation, written from committed records and from nothing else."""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from temper.comparison.filed import differing_table
from temper.errors import ArtifactError, ConfigError
from temper.publish.figures import DARK, TRADE_OFF
from temper.publish.first_rows import first_rows_markdown
from temper.publish.page_tables import (
    agreement_table,
    calibration_table,
    filed_rows,
    labels_table,
    load_tests_table,
    observations_of,
    real_lengths_table,
    resources_table,
    results_table,
    terminal_block,
    withdrawn_note,
)
from temper.publish.peers import pairs_markdown, peers_markdown
from temper.publish.searched import searched_table
from temper.publish.served import served_table
from temper.publish.short_tables import choices_list, claims_table, short_table, speed_words
from temper.publish.summary_table import summary_tables
from temper.report.calibrations import accuracy_table, seconds_table
from temper.report.filed import FiledStudy, read_filed_study
from temper.report.reported import read_reported, speed_ups_markdown
from temper.report.searches import layers_table, trials_table
from temper.report.serving import buckets_markdown

_END = "<!-- end of table -->"
REMEMBERED = 32  # studies: all that are filed, some 20 MB each
_HEADER_LINES = 2  # of a Markdown table
_START = (
    r"<!-- (?P<what>table|short table|claims|choices|load tests|calibration study|calibrations that differ|calibrations"
    r"|calibration seconds|agreement"
    r"|labels|layers|trials|real lengths|buckets|peers|fastest|pairs|resources|first rows|summary|terminal"
    r"|observations|speed-ups|served|searched)"
    r" of (?P<folder>\S+)(?: for (?P<only>[^>]+?))? -->\n"
)
_MARKED = re.compile(rf"({_START}).*?(?P<end>{_END})", re.DOTALL)
_FIGURE = re.compile(
    r"<!-- (?P<what>calibrations|layers) plot of (?P<folder>\S+) -->\n!\[[^\]]*\]\((?P<file>[^)\s]+)\)"
)
# one figure inside a sentence
_INLINE = re.compile(
    r"(?P<start><!-- speed of (?P<folder>\S+) for (?P<candidate>\S+) at (?P<workload>\S+) -->)[^<]*(?P<end><!-- end -->)"
)
# a picture for light pages and one for dark ones, as a page's own HTML names them
_TRADE_OFF = re.compile(
    r"<!-- trade-off plot of (?P<folder>\S+) for (?P<workload>\S+) -->\n<picture>\s*"
    r'<source [^>]*srcset="(?P<dark>[^"]+)"[^>]*>\s*<img [^>]*src="(?P<light>[^"]+)"[^>]*>\s*</picture>'
)


def _check_marks(page: str) -> None:
    """Raise ConfigError where a mark has no end before the next, or an end no mark that is known."""
    open_line = None
    for mark in re.finditer(rf"(?P<start>^{_START})|(?P<end>^{_END}$)", page, re.MULTILINE):
        line = page.count("\n", 0, mark.start()) + 1
        wrong = None
        if mark["start"] and open_line is not None:
            wrong = f"the mark in line {open_line} has no '{_END}'"
        elif mark["end"] and open_line is None:
            wrong = f"line {line} ends a table, and there is no mark before it that is known"
        open_line = line if mark["start"] else None
        if wrong is not None:
            break
    else:
        wrong = None if open_line is None else f"the mark in line {open_line} has no '{_END}'"
    if wrong is not None:
        raise ConfigError(
            asked="write the tables of a page anew",
            happened=wrong,
            affected="the page; it was not changed",
            fix=f"correct the mark: <!-- WHAT of FOLDER --> … {_END}, each on a line of its own (temper/publish/pages.py)",
        )


def _table(mark: re.Match[str], folder: Path, root: Path, read: Callable[[Path], FiledStudy]) -> str:
    """The table that a mark asks for, from the records in its folder, which `read` reads."""
    what = mark["what"]
    if what == "table":
        return results_table(read(folder), mark["only"].split() if mark["only"] else None)
    if what in ("peers", "fastest"):
        names, _, over = (mark["only"] or "").partition(" over ")
        study, counted_from = read(folder), over.strip() or None
        return peers_markdown(study, names.split(), counted_from, fastest_alone=what == "fastest")
    if what == "pairs":
        return pairs_markdown(read(folder), (mark["only"] or "").split())
    if what == "first rows":
        rows, *candidates = (mark["only"] or "none").split()
        if not rows.isdecimal() or int(rows) < 1 or not candidates:
            raise ConfigError(
                asked=f"write the accuracy on the first rows of {folder}",
                happened=f"the mark says 'for {mark['only'] or ''}'",
                affected="the page; it was not changed",
                fix="name a number of rows and candidates: <!-- first rows of FOLDER for 1000 CANDIDATE CANDIDATE -->",
            )
        return first_rows_markdown(read(folder), int(rows), candidates)
    if what == "searched":
        return searched_table(folder, (mark["only"] or "").split())
    if what == "speed-ups":
        return speed_ups_markdown(read(folder), read_reported(root / (mark["only"] or "reported.yaml")))
    if what == "claims":
        return claims_table(read(folder), read_reported(root / (mark["only"] or "reported.yaml")))
    if what == "short table":
        workload, *candidates = (mark["only"] or "no workload").split()
        study = read(folder)
        shown = [row for row in filed_rows(study) if not candidates or row.candidate in candidates]
        return short_table(study, workload, candidates) + withdrawn_note(study, shown, [workload])
    if what == "terminal":
        return terminal_block(read(folder), mark["only"])
    if what in _OF_STUDIES:
        return _OF_STUDIES[what](read(folder))
    return _OF_FOLDERS[what](folder)


def _written(mark: re.Match[str], root: Path, read: Callable[[Path], FiledStudy]) -> str:
    """The same; where there would be none, or an empty one, an ArtifactError."""
    folder, what = root / mark["folder"], mark["what"]
    happened = "its records have nothing of it"
    if folder.is_dir():
        try:
            table = _table(mark, folder, root, read)
            lines = table.splitlines()
            if len(lines) > _HEADER_LINES or any(line.strip() and not line.startswith("|") for line in lines):
                return table
        except FileNotFoundError as missing:
            happened = f"{missing.filename} does not exist"
    else:
        happened = f"{folder} is no folder"
    raise ArtifactError(
        asked=f"write the table '{what}' of {folder}",
        happened=happened,
        affected="the page; it was not changed",
        fix="correct the mark, or file the study's records there first (results/README.md)",
    )


def remembering() -> Callable[[Path], FiledStudy]:
    """Reads a study's folder, and the last few again from memory: a study is held with all its logits."""
    return lru_cache(maxsize=REMEMBERED)(read_filed_study)


def filled(page: str, root: Path, read: Callable[[Path], FiledStudy] | None = None) -> str:
    """A page with every marked table written anew from the folder its mark names, relative to `root`.

    `read` reads a study's folder; for several pages of the same studies it is one that remembers (`remembering`).

    A mark is `<!-- WHAT of FOLDER -->` and ends with `<!-- end of table -->`; WHAT is

    - table (also `<!-- table of FOLDER for WORKLOAD WORKLOAD -->`), labels (a table without latencies), resources (sizes,
      memory, throughput), real lengths, buckets, load tests, agreement, summary (a table for each workload), observations;
    - short table (`<!-- short table of FOLDER for WORKLOAD CANDIDATE CANDIDATE -->`: six columns, the fastest first),
      choices (a line for each workload), terminal (what a run prints; `<!-- terminal of FOLDER for WORKLOAD -->`: of one
      workload);
    - claims and speed-ups (`<!-- claims of FOLDER for studies/STUDY/reported.yaml -->`: what a write-up reports, held
      against these records, a line for each claim or for each workload);
    - peers (`<!-- peers of FOLDER for CANDIDATE CANDIDATE over CANDIDATE -->`: the others against the fastest of these, and
      times faster than the one after 'over', or than the baseline), fastest (as peers, of the others only the fastest),
      pairs (`<!-- pairs of FOLDER for CANDIDATE/CANDIDATE -->`: the first's latency over the second's), first rows (`<!--
      first rows of FOLDER for 1000 CANDIDATE CANDIDATE -->`: their accuracy on the test split's first 1,000 rows beside
      all);
    - calibration study, calibrations, calibrations that differ (cells that share a letter are not told apart), calibration
      seconds;
    - layers or trials of a folder with search.json; served of one with what benchmarks/serving.py wrote; searched
      (`<!-- searched of FOLDER for NAME NAME -->`: what `temper optimize` found, of NAME.json and NAME.summary.json).

    Inside a sentence stands `<!-- speed of FOLDER for CANDIDATE at WORKLOAD -->3.55 × [3.48, 3.61]<!-- end -->`.

    Raises:
        ConfigError: a mark is unknown or has no end.
        ArtifactError: there are no such records.
    """
    _check_marks(page)
    read = read or remembering()  # a page has several tables of one folder
    page = _INLINE.sub(
        lambda mark: (
            mark["start"] + speed_words(read(root / mark["folder"]), mark["candidate"], mark["workload"]) + mark["end"]
        ),
        page,
    )
    return _MARKED.sub(lambda mark: mark[1] + _written(mark, root, read) + mark["end"], page)


def figures(page: str) -> list[tuple[str, Path, str]]:
    """The plots that a page shows: what of, the folder of its mark, and the file that it links.

    `<!-- calibrations plot of FOLDER -->` or `<!-- layers plot of FOLDER -->` stands on the line before the image, and
    `<!-- trade-off plot of FOLDER for WORKLOAD -->` before a `<picture>` whose `<source>` is for dark pages.
    """
    found = [(mark["what"], Path(mark["folder"]), mark["file"]) for mark in _FIGURE.finditer(page)]
    for mark in _TRADE_OFF.finditer(page):
        what = f"{TRADE_OFF}{mark['workload']}"
        found += [(what, Path(mark["folder"]), mark["light"]), (what + DARK, Path(mark["folder"]), mark["dark"])]
    return found


_OF_STUDIES = {
    "calibrations": lambda study: accuracy_table(study) + withdrawn_note(study, filed_rows(study), ()),
    "calibrations that differ": differing_table,
    "calibration seconds": seconds_table,
    "agreement": agreement_table,
    "labels": labels_table,
    "real lengths": real_lengths_table,
    "resources": resources_table,
    "summary": lambda study: summary_tables(study.records, study.compared),
    "observations": observations_of,
    "choices": choices_list,
}
_OF_FOLDERS = {
    "load tests": load_tests_table,
    "calibration study": calibration_table,
    "buckets": buckets_markdown,
    "layers": layers_table,
    "trials": trials_table,
    "served": served_table,
}
