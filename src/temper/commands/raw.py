"""`temper raw`: a study's outside files into its data/raw/."""

import argparse
import filecmp
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from temper.errors import DataError


def _joined(sources: list[Path]) -> bytes:
    """Text without headers, one file after the other."""
    return b"".join(source.read_bytes().rstrip(b"\n") + b"\n" for source in sources)


def _holds(goal: Path, sources: list[Path]) -> bool:
    """Whether a file is what would be copied there."""
    if not goal.is_file():
        return False
    if len(sources) == 1:
        return filecmp.cmp(goal, sources[0], shallow=False)
    return goal.read_bytes() == _joined(sources)


def raw(arguments: argparse.Namespace) -> int:
    """Copy what `raw.yaml` lists: target below the study's folder, and source below `--from`; a list of sources is joined.

    Raises:
        DataError: nothing is listed, a source is missing, or another file is in a target's place. Nothing was copied.
    """
    import yaml

    from temper.tracking.set_aside import listed as first

    study, outside = Path(arguments.directory), Path(arguments.source)
    listed = study / "raw.yaml"
    if not listed.is_file():
        raise DataError(
            asked=f"copy the outside files of {study}",
            happened=f"{listed} does not exist",
            spoiled="nothing",
            fix="name the folder of a study that needs outside files; the others need no copy",
        )
    listing: dict[str, str | list[str]] = yaml.safe_load(listed.read_text(encoding="utf-8"))
    wanted = {target: [sources] if isinstance(sources, str) else sources for target, sources in listing.items()}
    missing = [source for sources in wanted.values() for source in sources if not (outside / source).exists()]
    if missing:
        raise DataError(
            asked=f"copy the outside files of {study} from {arguments.source}",
            happened=f"not there: {', '.join(missing)}",
            spoiled="nothing was copied",
            fix="give the folder that holds them: make raw STUDY=… FROM=folder",
        )
    there = {target for target in wanted if os.path.lexists(study / target)}
    other = [
        target for target in sorted(there) if not _holds(study / target, [outside / each for each in wanted[target]])
    ]
    if other and not arguments.force:
        raise DataError(
            asked=f"copy the outside files of {study} from {arguments.source}",
            happened=f"other files are in their place: {first(other)}",
            spoiled="nothing was copied",
            fix="move them elsewhere, then again; or temper raw … --force (make raw … FORCE=1) writes over them",
        )
    for target, sources in wanted.items():
        goal = study / target
        if target in there and target not in other:
            print(f"{goal}: there already, with the same bytes")
            continue
        goal.parent.mkdir(parents=True, exist_ok=True)
        neighbour = goal.with_name(f".{goal.name}.partial")
        if len(sources) == 1:
            shutil.copyfile(outside / sources[0], neighbour)
        else:
            neighbour.write_bytes(_joined([outside / source for source in sources]))
        os.chmod(neighbour, 0o644)
        os.replace(neighbour, goal)
        print(f"{' + '.join(sources)} → {goal}")
    track_raw_files(study)
    return 0


def track_raw_files(study: Path) -> None:
    """Let DVC version data/raw: experiments in temporary folders bring only what git or DVC tracks."""
    from temper.tracking.dvc import ask_dvc
    from temper.tracking.study_repository import make_ready

    if not any((place / ".dvc").is_dir() for place in (study.resolve(), *study.resolve().parents)):
        return
    make_ready(study)
    try:
        ask_dvc(
            *("--cd", str(study), "add", "data/raw"),
            spoiled="nothing: the files are there, and a plain run can use them; experiments in temporary folders cannot",
            fix="mend what it names, then dvc add data/raw in the study's folder",
        )
    except KeyboardInterrupt:
        print(
            f"{study} is there, and DVC does not track its files yet: dvc add data/raw in that folder", file=sys.stderr
        )
        raise
    print(f"{study}/data/raw.dvc: tracked by DVC")


def add_to(commands: Any) -> None:
    """Describe the command to argparse."""
    text = "copy a study's outside files into its data/raw/"
    command = commands.add_parser("raw", help=text, description=text)
    command.set_defaults(function=raw)
    command.add_argument("--directory", default=".", help="the study's folder (default: this one)")
    command.add_argument("--from", dest="source", required=True, help="the folder that holds the outside files")
    command.add_argument("--force", action="store_true", help="write over other files that are in their place")
