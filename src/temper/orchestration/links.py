"""Links among a study's folders: what lies behind one is somebody else's, and no command of Temper's reaches through it.

The whole of data/, artifacts/, logs/ or .snakemake/ may be a link: to another disk, but not to another study's folder.
"""

import os
from pathlib import Path

from temper.errors import StorageError

TOPS = ("data", "artifacts", "logs", ".snakemake")
_OURS = ("data/prepared", "artifacts", "logs", ".snakemake/temper")  # what commands write, move and remove in


def _leads_elsewhere(path: Path) -> bool:
    """Whether the link of a top folder leads into a folder of studies, or out of its own kind of place."""
    target = path.resolve()
    return any((place / "params.yaml").is_file() for place in (target, *target.parents))


def links_here() -> list[str]:
    """Folders of the study in the working directory that are links, by path: those that commands would follow."""
    found = [top for top in TOPS if Path(top).is_symlink() and _leads_elsewhere(Path(top))]
    for top in _OURS:
        if top not in TOPS and Path(top).is_symlink():
            found.append(top)
            continue
        for folder, names, _ in os.walk(top):  # does not follow links below the top itself
            found += [os.path.join(folder, name) for name in names if os.path.islink(os.path.join(folder, name))]
    return sorted(set(found))


def check_no_links(asked: str) -> None:
    """Refuse to work in a study with folders that lie elsewhere.

    Raises:
        StorageError: with the first of them, and where it leads.
    """
    found = links_here()
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise StorageError(
            asked=asked,
            happened=f"{found[0]}{more} is a link, to {os.readlink(found[0])}: what lies there may be another study's",
            affected="nothing: no file was touched, here or there",
            fix=f"rm {found[0]} removes the link alone, and the next run makes the folder; the whole of "
            "artifacts/ may be a link, to a folder of its own outside of every study",
        )
