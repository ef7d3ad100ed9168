"""`temper calibration-study`: calibration methods × sample counts as experiments."""

from typing import Annotated

from typer import Option

from temper.cli.command import Directory
from temper.cli.study_folder import stand_in

EXAMPLES = ("temper calibration-study -C studies/mine --methods minmax nncf --samples 32 128",)
METHODS, SAMPLES = ["minmax", "entropy", "percentile", "nncf"], [32, 128, 512]


def calibration_study(
    directory: Directory = ".",
    calibration: Annotated[str, Option(metavar="ROW", help="Row of calibrations.")] = "main",
    methods: Annotated[
        list[str] | None,
        Option(metavar="METHOD...", help=f"Rows of calibration_methods (default: {', '.join(METHODS)})."),
    ] = None,
    samples: Annotated[
        list[int] | None,
        Option(metavar="N...", help=f"Rows to calibrate on (default: {', '.join(map(str, SAMPLES))})."),
    ] = None,
    force: Annotated[bool, Option("--force", help="Remove experiments of the same names first.")] = False,
) -> int:
    """Run them, and compare."""
    from temper.comparison.calibration_study import calibration_study as run_them

    stand_in(directory)
    run_them(calibration=calibration, methods=methods or METHODS, samples=samples or SAMPLES, force=force)
    return 0
