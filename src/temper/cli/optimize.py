"""`temper optimize`: the fastest artifact that is still right, found within a time budget."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from temper.cli.command import Cores, Directory
from temper.cli.study_folder import check_study_folder
from temper.errors import ConfigError

EXAMPLES = (
    "temper optimize -C studies/mine --minutes 15",
    "temper optimize -C studies/mine --workload b12-s64 --budget-points 0.3 --p99-ms 20",
)
MORE = (
    "Candidates are made of what this machine, this graph and the workload allow; they are timed in turns with the fastest so "
    "far and dropped as soon as their interval says so. The winner is measured on the test rows as any candidate is. Asked "
    "again, it goes on: what was timed is not timed again."
)


def optimize(
    directory: Directory = ".",
    target: Annotated[
        Literal["latency", "throughput"],
        Option(help="throughput: samples per second, also of several callers at once."),
    ] = "latency",
    workload: Annotated[
        str | None, Option(metavar="NAME", help="An entry of workloads (default: the first).", show_default=False)
    ] = None,
    budget_points: Annotated[
        float | None,
        Option(
            metavar="N", help="Accuracy that may be lost, percentage points (default: the study's).", show_default=False
        ),
    ] = None,
    p99_ms: Annotated[
        float | None, Option(metavar="MS", help="The most that the 99th percentile may take.", show_default=False)
    ] = None,
    minutes: Annotated[float, Option(metavar="N", help="For making and racing candidates.")] = 30.0,
    cores: Cores = "all",
) -> int:
    """Search, and print what was found."""
    for name, value in (("--minutes", minutes), ("--budget-points", budget_points), ("--p99-ms", p99_ms)):
        if value is not None and not 0 < value < 1e6:
            raise ConfigError(
                asked=f"find the fastest with {name} {value:g}",
                happened=f"{value:g} is not above 0" if value <= 0 else f"{value:g} is more than anything could take",
                affected="nothing: no search was begun",
                fix=f"give {name} a number above 0",
            )
    check_study_folder(directory, f"find the fastest for the study in {directory}")
    from temper.optimize.optimize import Wish
    from temper.optimize.optimize import optimize as search

    wish = Wish(target, workload, budget_points, p99_ms, minutes, cores)
    answer = search(Path(directory).resolve(), wish, lambda line: print(line, file=sys.stderr, flush=True))
    print("\n".join(answer))
    return 0
