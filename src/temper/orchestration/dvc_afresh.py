"""`python -m temper.orchestration.dvc_afresh push …`: a DVC command that believes no list which an earlier one left behind.

`dvc push` and `dvc fetch` keep a list of the objects that a state of the repository has, written part by part, and take what
is there for the whole. Of one that was killed while it wrote, the next sends or fetches that part alone, says that
everything is up to date and ends with exit code 0 (DVC 3.67, `dvc_data.index.collect`).
"""

import contextlib
import sys

from dvc.cli import main
from dvc.exceptions import DvcException
from dvc.repo import Repo


def forget_lists() -> None:
    """Drop the lists of the repository around the working directory; where there is none or it is locked, the command says so."""
    with contextlib.suppress(DvcException), Repo() as repo, repo.lock:
        repo.drop_data_index()


if __name__ == "__main__":
    forget_lists()
    sys.exit(main(sys.argv[1:]))
