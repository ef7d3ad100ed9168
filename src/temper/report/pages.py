"""Tables in the documentation, written from committed records and from nothing else."""

import re
from pathlib import Path

import yaml

from temper.errors import ArtifactError
from temper.measurement.record import read_record
from temper.report.render import table
from temper.report.tables import rows

_MARKED = re.compile(r"(<!-- table of (?P<folder>\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def results_table(folder: Path) -> str:
    """The Markdown table of a folder results/<machine>/<study>/, candidates in the order of its params.yaml.

    Raises:
        ArtifactError: the folder holds no params.yaml, or a record is missing or of another schema version.
    """
    params = folder / "params.yaml"
    if not params.is_file():
        raise ArtifactError(
            asked=f"write the table of {folder}",
            happened=f"{params} does not exist",
            spoiled="the page; it was not changed",
            fix="file the study's records there first (results/README.md)",
        )
    study = yaml.safe_load(params.read_text(encoding="utf-8"))
    records = [read_record(folder / "measurements" / f"{name}.json") for name in study["candidates"]]
    header, lines = table(rows(records, study["baseline"]), study["baseline"])
    kept = [at for at, name in enumerate(header) if not name.endswith("samples/s") and name != "library"]
    page = ["| " + " | ".join(header[at] for at in kept) + " |", "| --- | --- |" + " ---: |" * (len(kept) - 2)]
    page += ["| " + " | ".join(cells[at] for at in kept) + " |" for cells in lines]
    return "\n".join(page) + "\n"


def filled(page: str, root: Path) -> str:
    """A page with every marked table written anew from the folder its mark names, relative to `root`."""
    return _MARKED.sub(lambda mark: mark[1] + results_table(root / mark["folder"]) + mark[3], page)
