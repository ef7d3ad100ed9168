"""What Temper made of a study and can make again, and what in the same folders is somebody else's."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from temper.artifacts.manifest import sha256
from temper.errors import ArtifactError, ConfigError
from temper.orchestration.by_hand import records_here
from temper.orchestration.job_record import FOLDER, read_job_record
from temper.orchestration.jobs import checkout_of
from temper.orchestration.links import check_no_links
from temper.orchestration.run_lock import check_free
from temper.orchestration.set_aside import listed

TOPS = ("data/prepared", "artifacts", "logs")  # never data/raw
MEMORY = ".snakemake"
_ASKED = "remove what was made of this study"
# what is written without a job record: kernels, pages, comparisons of experiments and versions, DVC's lists for git
_UNRECORDED = (
    "artifacts/runtime_cache/",
    "artifacts/pages/",
    "artifacts/unfinished/",
    *(f"artifacts/comparison/{name}." for name in ("comparison", "upgrade", "calibration-study")),
)


@dataclass(frozen=True)
class Found:
    """Files of a study by who made them, as paths from its folder."""

    made: list[str]  # a job record vouches for the bytes, or Temper writes the file anew at each run
    others: list[str]  # put there, or changed, by somebody else
    measurements: int  # of the made ones: records that take the time of measuring


def look() -> Found:
    """Hold every file in the folders of artifacts against the job records of the study in the working directory."""
    vouched: dict[str, str] = {}
    records = {path.as_posix() for path in records_here()}
    for path in sorted(records):
        try:
            vouched.update(read_job_record(path).outputs)
        except ArtifactError:
            records.discard(path)
    rules = {script.stem for script in (checkout_of() / "workflow/scripts").glob("*.py")}
    files = [path for top in TOPS for path in sorted(Path(top).rglob("*")) if not path.is_dir() or path.is_symlink()]
    made: list[str] = []
    others: list[str] = []
    for path in map(Path.as_posix, files):
        log = path.startswith("logs/") and path.endswith(".log") and Path(path).parts[1].removesuffix(".log") in rules
        its_own = path in records or log or path.startswith(_UNRECORDED) or Path(path).name == ".gitignore"
        its_own = its_own or (path in vouched and Path(path).is_file() and sha256(path) == vouched[path])
        (made if its_own else others).append(path)
    measured = sum(path.startswith((f"{FOLDER}/measure/", f"{FOLDER}/load_test/")) for path in made)
    return Found(made, others, measured)


def _remove_empty(folder: Path) -> None:
    for path in sorted((each for each in folder.rglob("*") if each.is_dir() and not each.is_symlink()), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        folder.rmdir()


def clean(*, agreed: bool) -> list[str]:
    """Remove what Temper made of the study in the working directory.

    Args:
        agreed: whether a person said so; without it nothing is removed.

    Returns:
        What was done, line by line.

    Raises:
        BusyError: a run works here.
        StorageError: a folder of the study is a link to somewhere else.
        ConfigError: nobody agreed; it says what would go.
    """
    check_free(_ASKED)
    check_no_links(_ASKED)
    found = look()
    stay = [f"{len(found.others)} files stay, for no job made them as they are: {listed(found.others)}"] * bool(
        found.others
    )
    if not found.made and not Path(MEMORY).is_dir():
        return ["there is nothing that Temper made", *stay]
    if not agreed:
        mib = sum(os.lstat(path).st_size for path in found.made) / 1024**2
        raise ConfigError(
            asked=_ASKED,
            happened=f"{len(found.made)} files ({mib:.1f} MiB) would go, {found.measurements} measurements among them",
            affected="nothing yet",
            fix="the same command with --yes (make clean YES=1); temper results files the measurements before",
        )
    for path in found.made:
        Path(path).unlink()
    for top in TOPS:
        _remove_empty(Path(top))
    shutil.rmtree(MEMORY, ignore_errors=True)
    return [f"removed {len(found.made)} files that Temper made, and what Snakemake remembered of them", *stay]
