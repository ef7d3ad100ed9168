"""`temper raw`: a study's outside files into its data/raw/."""

import filecmp
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from temper.artifacts.inside import why_not_below, why_not_inside
from temper.artifacts.scratch import scratch_file
from temper.cli.command import Directory
from temper.errors import ConfigError, DataError
from temper.study.params_file import load_params

EXAMPLES = ("temper raw -C studies/digits-resnet --from ../shared",)
LISTING, RAW = "raw.yaml", "data/raw"


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


def _refused(study: Path, outside: Path, happened: str, fix: str) -> DataError:
    return DataError(
        asked=f"copy the outside files of {study} from {outside}",
        happened=happened,
        affected="nothing was copied",
        fix=fix,
    )


def _read_listing(study: Path, outside: Path) -> dict[str, list[str]]:
    """Sources by target, as raw.yaml lists them: targets below data/raw/, sources by paths below `--from`.

    Raises:
        DataError: there is no raw.yaml, or it is no such list.
    """
    listed = study / LISTING
    if not listed.is_file():
        fix = "name the folder of a study that needs outside files; the others need no copy"
        raise _refused(study, outside, f"{listed} is no file" if listed.exists() else f"{listed} does not exist", fix)
    fix = f"write {LISTING} as `data/raw/NAME: SOURCE` lines; git diff shows what was changed in it"
    try:
        content = load_params(listed)
    except ConfigError as error:
        raise _refused(study, outside, error.happened, fix) from None
    if not isinstance(content, dict) or not content:
        raise _refused(study, outside, f"{listed} lists no files", fix)
    wanted: dict[str, list[str]] = {}
    for target, sources in content.items():
        named = sources if isinstance(sources, list) else [sources]
        if not isinstance(target, str) or not named or not all(isinstance(source, str) for source in named):
            raise _refused(study, outside, f"{listed}: {target!r} has no source, or one that is no path", fix)
        wanted[target] = named
        for why in (why_not_below(target, RAW), *(why_not_below(source, ".") for source in named)):
            if why is not None:
                raise _refused(study, outside, f"{listed}: {why}", fix)
    return wanted


def _check_places(study: Path, outside: Path, wanted: dict[str, list[str]]) -> None:
    """Refuse sources that do not lie in the folder that was named, and targets that would be written through a link."""
    for target, sources in wanted.items():
        for source in sources:
            why = why_not_inside(outside / source, outside)
            if why is not None:
                raise _refused(
                    study, outside, why, f"give the folder that holds them: temper raw -C {study} --from FOLDER"
                )
        place, below = (study / target).parent, (study / RAW).parent.resolve() / Path(RAW).name
        if not place.resolve().is_relative_to(below):  # the whole of data/ may lie on another disk
            why = f"{place} leads out of {study / RAW}, to {place.resolve()}"
            raise _refused(study, outside, why, "put a folder in the place of that link")


def raw(
    source: Annotated[
        str, Option("--from", metavar="DIR", help="The folder that holds the outside files.", show_default=False)
    ],
    directory: Directory = ".",
    force: Annotated[bool, Option("--force", help="Write over other files that are in their place.")] = False,
) -> int:
    """Copy what `raw.yaml` lists: target below the study's data/raw/, and source below `--from`; a list of sources is joined.

    Raises:
        DataError: nothing is listed, a source is missing or leads elsewhere, or another file is in a target's place. Nothing
            was copied.
    """
    from temper.orchestration.set_aside import listed as first

    study, outside = Path(directory), Path(source)
    wanted = _read_listing(study, outside)
    _check_places(study, outside, wanted)
    there = {target for target in wanted if os.path.lexists(study / target)}
    other = [
        target for target in sorted(there) if not _holds(study / target, [outside / each for each in wanted[target]])
    ]
    if other and not force:
        fix = "move them elsewhere, then again; or temper raw … --force writes over them"
        raise _refused(study, outside, f"other files are in their place: {first(other)}", fix)
    for target, sources in wanted.items():
        goal = study / target
        if target in there and target not in other:
            print(f"{goal}: there already, with the same bytes")
            continue
        goal.parent.mkdir(parents=True, exist_ok=True)
        with scratch_file(goal) as (handle, neighbour):
            with open(handle, "wb") as stream:
                if len(sources) == 1:
                    with open(outside / sources[0], "rb") as its_own:
                        shutil.copyfileobj(its_own, stream)
                else:
                    stream.write(_joined([outside / each for each in sources]))
            os.chmod(neighbour, 0o644)
            os.replace(neighbour, goal)
        print(f"{' + '.join(sources)} → {goal}")
    track_raw_files(study)
    return 0


def track_raw_files(study: Path) -> None:
    """Let DVC version data/raw: experiments in temporary folders bring only what git or DVC tracks."""
    from temper.orchestration.dvc import ask_dvc
    from temper.orchestration.study_repository import make_ready

    if not any((place / ".dvc").is_dir() for place in (study.resolve(), *study.resolve().parents)):
        return
    make_ready(study)
    try:
        ask_dvc(
            *("--cd", str(study), "add", "data/raw"),
            affected="nothing: the files are there, and a plain run can use them; experiments in temporary folders cannot",
            fix="mend what it names, then dvc add data/raw in the study's folder",
        )
    except KeyboardInterrupt:
        print(
            f"{study} is there, and DVC does not track its files yet: dvc add data/raw in that folder", file=sys.stderr
        )
        raise
    print(f"tracked:    {os.path.relpath(study / 'data/raw')}, by DVC")
