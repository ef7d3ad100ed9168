"""`temper raw`: a study's outside files into its data/raw/."""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from temper.errors import DataError


def raw(arguments: argparse.Namespace) -> int:
    """Copy what `raw.yaml` lists: target below the study's folder, and source below `--from`; a list of sources is joined."""
    import yaml

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
    for target, sources in wanted.items():
        goal = study / target
        goal.parent.mkdir(parents=True, exist_ok=True)
        neighbour = goal.with_name(f".{goal.name}.partial")
        if len(sources) == 1:
            shutil.copyfile(outside / sources[0], neighbour)
        else:  # text without headers, one file after the other
            neighbour.write_bytes(b"".join((outside / source).read_bytes().rstrip(b"\n") + b"\n" for source in sources))
        os.chmod(neighbour, 0o644)
        os.replace(neighbour, goal)
        print(f"{' + '.join(sources)} → {goal}")
    track_raw_files(study)
    return 0


def track_raw_files(study: Path) -> None:
    """Let DVC version data/raw: experiments in temporary folders bring only what git or DVC tracks."""
    from temper.tracking.dvc import ask_dvc

    if not any((place / ".dvc").is_dir() for place in (study.resolve(), *study.resolve().parents)):
        return
    try:
        ask_dvc(
            *("--cd", str(study), "add", "--quiet", "data/raw"),
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
