"""`temper report`: the report as a page, with what lies beside it and what is another than before, in a browser."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from temper.errors import ConfigError

FOLDER = "artifacts/pages"


def report(arguments: argparse.Namespace) -> int:
    """Write the page from records, print where it lies and open it."""
    from temper.artifacts.manifest import write_text
    from temper.comparison.last_run import changes_against, filed_changes
    from temper.report.page.render import report_page
    from temper.report.page.search_page import search_page
    from temper.report.page.sources import filed_material, searches_in, study_material

    against = None if arguments.against is None else _folder_or_name(arguments.against)
    if arguments.filed is not None:
        folder = Path(arguments.filed)
        if not folder.is_dir():
            raise ConfigError(
                asked=f"show the filed study {arguments.filed} as a page",
                happened=f"there is no folder {folder}",
                spoiled="nothing was written",
                fix="name a folder of filed records: --filed results/<machine>/<study>",
            )
        changes = None if against is None else filed_changes(folder, against)
        page, name = report_page(filed_material(folder, changes)), "-".join(folder.resolve().parts[-2:])
        searches, before = searches_in(folder / "searches"), f"{name}-"
    else:
        from temper.commands.study_folder import stand_in

        stand_in(arguments.directory)
        page, name = (
            report_page(study_material(lambda finished, records: changes_against(finished, records, against))),
            "report",
        )
        searches, before = searches_in(Path("artifacts/searches")), ""
    target = Path(FOLDER) / f"{name}.html"
    write_text(target, page)
    _say(target, page, arguments.started_in)
    for search, found in searches.items():
        other = Path(FOLDER) / f"{before}search-{search}.html"
        write_text(other, search_page(search, found))
        _say(other, other.read_text(encoding="utf-8"), arguments.started_in)
    if not arguments.no_browser and not _opened(target):
        print("no browser here opens a page: open the file with one", file=sys.stderr)
    return 0


def _say(target: Path, page: str, started_in: str) -> None:
    """Where a page lies, from where the command was given, and how large it is."""
    print(f"{os.path.relpath(target.resolve(), started_in)} ({len(page.encode()) / 1e6:.1f} MB)")


def _folder_or_name(against: str) -> Path | str:
    """A folder that is there, as an absolute path: the command works in the study's own; else a name of git's or DVC's."""
    return Path(against).resolve() if Path(against).is_dir() else against


def _opened(target: Path) -> bool:
    import webbrowser

    return webbrowser.open(target.resolve().as_uri())


def add_to(commands: Any) -> None:
    """Describe the command to argparse."""
    text = "the report as a page, from records alone: opens it in a browser"
    command = commands.add_parser("report", help=text, description=text)
    command.set_defaults(function=report, started_in=os.getcwd())
    command.add_argument("--directory", default=".", help="the study's folder (default: this one)")
    command.add_argument("--filed", help="instead: of a folder results/<machine>/<study>")
    command.add_argument(
        "--against",
        help="hold it against an experiment, a commit, or a folder: of a study, or results/<machine>/<study> (default: the last "
        "committed run that differs)",
    )
    command.add_argument("--no-browser", action="store_true", help="only write the page and print where it lies")
