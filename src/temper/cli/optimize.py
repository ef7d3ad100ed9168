"""`temper optimize`: the fastest artifact that is still right, found within a time budget."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from temper.cli.command import Cores, Directory
from temper.cli.ending import cleaning_up
from temper.cli.run_study import check_options
from temper.cli.study_folder import check_study_folder
from temper.errors import ConfigError
from temper.study.sections.optimize import Target, Traffic

EXAMPLES = (
    "temper optimize -C studies/mine --minutes 15",
    "temper optimize -C studies/mine --workload b12-s64 --budget-points 0.3 --p99-ms 20",
    "temper optimize -C studies/mine --traffic arrival --batch-size 32 --target cost --price-per-hour 0.35",
)
MORE = (
    "Candidates are made of what this machine, this graph and the workload allow; they are timed in turns with the fastest so "
    "far and dropped as soon as their interval says so. The winner is measured on the test rows as any candidate is. Asked "
    "again, it goes on: what was timed is not timed again. What is not given here is read from optimize: of params.yaml."
)


def optimize(
    directory: Directory = ".",
    target: Annotated[
        Target | None,
        Option(
            help="latency (default); throughput: samples per second, also of several callers at once; cost: the same as the "
            "price of a million samples.",
            show_default=False,
        ),
    ] = None,
    workload: Annotated[
        str | None, Option(metavar="NAME", help="An entry of workloads (default: the first).", show_default=False)
    ] = None,
    traffic: Annotated[
        Traffic | None,
        Option(
            help="In its place: rows with the data's own lengths, as they come or sorted by length.",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        Option(
            metavar="N",
            min=1,
            help="Rows in a call of that traffic (default: the first workload's).",
            show_default=False,
        ),
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
    minutes: Annotated[
        float | None, Option(metavar="N", help="For making and racing candidates (default: 30).", show_default=False)
    ] = None,
    price_per_hour: Annotated[
        float | None,
        Option(metavar="N", help="What this machine costs, in any currency: for --target cost.", show_default=False),
    ] = None,
    cores: Cores = "all",
) -> int:
    """Search, and print what was found."""
    numbers = {"--minutes": minutes, "--budget-points": budget_points, "--p99-ms": p99_ms}
    for name, value in {**numbers, "--price-per-hour": price_per_hour}.items():
        most = 100 if name == "--budget-points" else 1e6
        if value is not None and not 0 < value <= most:
            raise ConfigError(
                asked=f"find the fastest with {name} {value:g}",
                happened=f"{value:g} is {f'above {most:g}' if value > most else 'not above 0'}",
                affected="nothing: no search was begun",
                fix=f"give {name} a number above 0{f', at most {most:g}' if value > most else ''}",
            )
    check_options(cores, None)
    check_study_folder(directory, f"find the fastest for the study in {directory}")
    from temper.optimize.optimize import optimize as search
    from temper.optimize.wish import Wish

    wish = Wish(target, workload, budget_points, p99_ms, minutes, cores, traffic, batch_size, price_per_hour)
    with cleaning_up():
        answer = search(Path(directory).resolve(), wish, lambda line: print(line, file=sys.stderr, flush=True))
    print("\n".join(answer))
    return 0
