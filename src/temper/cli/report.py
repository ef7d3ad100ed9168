"""`temper report`: the report as a page, with what lies beside it and what is another than before, in a browser."""

import os
import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from temper.cli.command import Directory, Machine
from temper.cli.study_folder import check_filed_folder, stand_in

EXAMPLES = ("temper report -C studies/mine", "temper report --filed results/cpu-2c/sst2-minilm --no-browser")
FOLDER = "artifacts/pages"


def report(
    directory: Directory = ".",
    filed: Annotated[str | None, Option(metavar="DIR", help="Instead: of a folder results/<machine>/<study>.")] = None,
    against: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="Hold it against an experiment, a commit, or a folder: of a study, or results/<machine>/<study> (default: the "
            "last committed run that differs).",
        ),
    ] = None,
    machine: Machine = None,
    no_browser: Annotated[bool, Option("--no-browser", help="Only write the page and print where it lies.")] = False,
) -> int:
    """Write the page from records, print where it lies and open it."""
    from temper.artifacts.manifest import write_text
    from temper.comparison.last_run import changes_against, filed_changes
    from temper.report.page.render import report_page
    from temper.report.page.search_page import search_page
    from temper.report.page.sources import filed_material, searches_in, study_material

    started_in, other = Path.cwd(), None if against is None else _folder_or_name(against)
    if filed is not None:
        folder = Path(filed)
        check_filed_folder(folder, f"show the filed study {filed} as a page")
        changes = None if other is None else filed_changes(folder, other)
        page, name = report_page(filed_material(folder, changes)), "-".join(folder.resolve().parts[-2:])
        searches, before = searches_in(folder / "searches"), f"{name}-"
    else:
        stand_in(directory)
        page, name = (
            report_page(study_material(lambda finished, records: changes_against(finished, records, other), machine)),
            f"report-{machine}" if machine else "report",
        )
        searches, before = searches_in(Path("artifacts/searches")), ""
    target = Path(FOLDER) / f"{name}.html"
    write_text(target, page)
    _say(target, page, started_in)
    for search, found in searches.items():
        beside = Path(FOLDER) / f"{before}search-{search}.html"
        write_text(beside, search_page(search, found))
        _say(beside, beside.read_text(encoding="utf-8"), started_in)
    if not no_browser and not _opened(target):
        print("no browser here opens a page: open the file with one", file=sys.stderr)
    return 0


def _say(target: Path, page: str, started_in: Path) -> None:
    """Where a page lies, from where the command was given, and how large it is."""
    print(f"{os.path.relpath(target.resolve(), started_in)} ({len(page.encode()) / 1e6:.1f} MB)")


def _folder_or_name(against: str) -> Path | str:
    """A folder that is there, as an absolute path: the command works in the study's own; else a name of git's or DVC's."""
    return Path(against).resolve() if Path(against).is_dir() else against


def _opened(target: Path) -> bool:
    import webbrowser

    return webbrowser.open(target.resolve().as_uri())
