"""The `temper` command: what a person asks beside `snakemake` itself."""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from temper.artifacts.manifest import write_text
from temper.commands import (
    clean,
    experiment,
    experiments,
    lint,
    new_study,
    package,
    predict,
    pull,
    raw,
    report,
    serve,
    studies,
)
from temper.commands import run as run_study
from temper.commands.study_folder import stand_in as _in
from temper.environment.own_process import environment, python_command, settle
from temper.errors import ConfigError, DataError, PipelineError, StorageError


def _table(arguments: argparse.Namespace) -> int:
    if arguments.filed is not None:
        from temper.report.filed import summary_of

        print(summary_of(Path(arguments.filed)), end="")
        return 0
    from temper.report.terminal import print_summary

    folder = Path(arguments.directory) / "artifacts/report"
    if not (folder / "summary.json").is_file():
        raise DataError(
            asked=f"print the table of {arguments.directory}",
            happened=f"{folder}/summary.json does not exist",
            spoiled="nothing",
            fix="run the study first: make reproduce, or make study STUDY=…",
        )
    print_summary(folder)
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    from temper.orchestration.plan import plan

    _in(arguments.directory)
    return plan()


def _sync(arguments: argparse.Namespace) -> int:
    from temper.orchestration.sync import sync

    _in(arguments.directory)
    for line in sync(keep=arguments.keep, force=arguments.force) or ["every artifact is what Snakemake left here"]:
        print(line)
    return 0


def _forget(arguments: argparse.Namespace) -> int:
    from temper.orchestration.sync import forget_kept_versions

    _in(arguments.directory)
    print("the installed versions count again" if forget_kept_versions() else "no versions were kept")
    return 0


def _settings(arguments: argparse.Namespace) -> int:
    from temper.orchestration.dvc_stage import write_settings

    _in(arguments.directory)
    write_settings()
    return 0


def _job(arguments: argparse.Namespace) -> int:
    from temper.orchestration.dvc_stage import run_job

    _in(arguments.directory)
    return run_job(arguments.rule, arguments.row, arguments.cores)


def _commit(arguments: argparse.Namespace) -> int:
    from temper.orchestration.dvc_stage import commit

    _in(arguments.directory)
    return commit()


def _verify_remote(arguments: argparse.Namespace) -> int:
    from temper.orchestration.remote import verify_remote

    _in(arguments.directory)
    for line in verify_remote(arguments.remote):
        print(line)
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from temper.comparison.compare import compare

    _in(arguments.directory)
    compare(arguments.names)
    return 0


def _calibration_study(arguments: argparse.Namespace) -> int:
    from temper.comparison.calibration_study import calibration_study

    _in(arguments.directory)
    calibration_study(
        calibration=arguments.calibration, methods=arguments.methods, samples=arguments.samples, force=arguments.force
    )
    return 0


def _upgrade(arguments: argparse.Namespace) -> int:
    from temper.comparison.upgrade import upgrade

    _in(arguments.directory)
    return upgrade(
        library=arguments.library, version=arguments.version, only_plan=arguments.plan, cores=arguments.cores
    )


def _results(arguments: argparse.Namespace) -> int:
    from temper.report.results import file_results

    _in(arguments.directory)
    folder, others = file_results(arguments.machine, partial=arguments.partial, force=arguments.force)
    print(f"filed: {'/'.join(folder.parts[-3:])}")
    if others:
        print(f"not filed by this, left as it was: {', '.join(others)}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from temper.study.params_file import load_params
    from temper.study.params_text import as_yaml
    from temper.study.resolve import spelt_out
    from temper.study.study import read_study

    for file in arguments.files:
        if not Path(file).is_file():
            raise ConfigError(
                asked=f"check {file}", happened=f"{file} is not there", spoiled="nothing", fix="correct its path"
            )
        section = load_params(file)
        if not isinstance(section, dict):
            raise ConfigError(
                asked=f"check {file}",
                happened="it holds no keys",
                spoiled="nothing",
                fix="start from the params.yaml of this repository",
            )
        study = read_study(section)
        if arguments.resolved:
            print(as_yaml(spelt_out(section)), end="")
            continue
        print(f"{file}: {study.study}, {len(study.candidates)} candidates, closed schema holds")
    return 0


def _page(file: str) -> str:
    """Content of a page."""
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            asked=f"read the page {file}",
            happened=f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}",
            spoiled="nothing",
            fix="name a Markdown file of this checkout",
        ) from None


def _pages(arguments: argparse.Namespace) -> int:
    from temper.orchestration.jobs import checkout_of
    from temper.publish.pages import filled

    failed, root = 0, Path(os.path.relpath(checkout_of()))
    for file in arguments.files:
        try:
            page = _page(file)
            text = filled(page, root)
        except PipelineError as error:  # of this page; the others go on
            print(f"{file}: {type(error).__name__}:{error}", file=sys.stderr)
            failed = 1
            continue
        if text != page:
            write_text(file, text)
        print(f"{file}: {'written anew' if text != page else 'up to date'}")
    return failed


def _figures(arguments: argparse.Namespace) -> int:
    from temper.orchestration.jobs import checkout_of
    from temper.publish.figures import drawn
    from temper.publish.pages import figures

    root = Path(os.path.relpath(checkout_of()))
    for file in arguments.files:
        for what, folder, name in figures(_page(file)):
            target = Path(file).parent / name
            write_text(target, drawn(what, root / folder))
            print(f"{target}: drawn from {folder}")
    return 0


def _use_code_of_this_checkout(argv: list[str]) -> None:
    """Start again with the code of the checkout we stand in, where this is another one's.

    DVC runs an experiment in a temporary checkout, and finds this command on the path all the same.
    """
    from temper.environment.machine import SOURCE_ROOT
    from temper.orchestration.jobs import checkout_of

    own = checkout_of() / "src"
    if own.resolve() != SOURCE_ROOT:
        path = os.pathsep.join(filter(None, [str(own), os.environ.get("PYTHONPATH")]))
        os.execve(sys.executable, python_command("-m", "temper.cli", *argv), environment(PYTHONPATH=path))


def run() -> int:
    """The `temper` command."""
    settle()
    _use_code_of_this_checkout(sys.argv[1:])
    return main()


# what a disk or a path may refuse, and what helps
_DISK = {
    errno.ENOSPC: "free some space, or write elsewhere, and run it again",
    errno.EDQUOT: "free some of your quota, or write elsewhere, and run it again",
    errno.EROFS: "mount the file system writable, or work in a copy of the folder",
    errno.EACCES: "give yourself permission there, or work in a copy of the folder",
    errno.EPERM: "give yourself permission there, or work in a copy of the folder",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "put a file in the place of the link that leads to itself",
    errno.ENOTDIR: "correct the path: a file stands where a folder has to be",
}


def _check_arguments(arguments: Sequence[str]) -> None:
    """Raise ConfigError where an argument holds bytes that are no text: it could neither be printed nor written."""
    for argument in arguments:
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in argument):
            raise ConfigError(
                asked=f"run temper with the argument {argument!r}",
                happened="it is not UTF-8",
                spoiled="nothing",
                fix="rename the file (convmv -f latin1 -t utf8), or write the text in UTF-8",
            )


def _let_go_of_stdout() -> None:
    """What is left in the buffer goes nowhere: Python would try to write it again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv: list[str] | None = None) -> int:
    """Run one command; errors that a user can cause end in their four parts and exit code 1, Ctrl-C in 130."""
    parser = argparse.ArgumentParser(prog="temper", description=__doc__)
    parser.add_argument("--version", action="version", version=f"temper {version('temper')}")
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, function: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(function=function)
        return command

    for name, function, text in (
        ("table", _table, "print the result table of a study"),
        ("plan", _plan, "what would run, and why"),
        (
            "sync",
            _sync,
            "check every artifact and bring Snakemake's memory in line: after dvc checkout, apply, a kill",
        ),
        ("forget", _forget, "let the installed versions count again where other makers' were kept"),
        ("settings", _settings, "write settings.json (the first DVC stage)"),
        ("job", _job, "run one job, as a DVC stage does"),
        ("commit", _commit, "hand a finished study to DVC"),
        ("verify-remote", _verify_remote, "read a DVC remote's objects back, and push damaged ones again"),
        ("compare", _compare, "experiments, commits or candidates pair by pair, and a plot"),
        ("calibration-study", _calibration_study, "calibration methods × sample counts as experiments"),
        ("upgrade", _upgrade, "another version of a library: plan, run, compare"),
        ("results", _results, "file this machine's records under results/<machine>/<study>/"),
    ):
        command = add(name, function, text)
        command.add_argument("--directory", default=".", help="the study's folder (default: this one)")
        if name == "table":
            command.add_argument(
                "--filed", help="instead: the report of a folder results/<machine>/<study>, as Markdown"
            )
        if name == "sync":
            command.add_argument("--keep", action="store_true", help="take artifacts made with other library versions")
            command.add_argument("--force", action="store_true", help="also where a run is noted on another machine")
        if name == "job":
            command.add_argument("rule", help="rule of the Snakefile")
            command.add_argument("row", nargs="?", default="", help="row of params.yaml, where the rule has several")
            command.add_argument("--cores", type=int, default=1, help="for Snakemake (default: 1)")
        if name == "compare":
            command.add_argument("names", nargs="*", help="experiments or commits (default: all of this commit)")
        if name == "calibration-study":
            command.add_argument("--calibration", default="main", help="row of calibrations (default: main)")
            command.add_argument("--methods", nargs="+", default=["minmax", "entropy", "percentile", "nncf"])
            command.add_argument("--samples", nargs="+", type=int, default=[32, 128, 512])
            command.add_argument("--force", action="store_true", help="remove experiments of the same names first")
        if name == "upgrade":
            command.add_argument("library", help="file of temper/engines/ or temper/backends/, such as tensorrt_rtx")
            command.add_argument("version", help="a version number")
            command.add_argument("--plan", action="store_true", help="only show what would run, and why")
            command.add_argument("--cores", type=int, default=1, help="for Snakemake (default: 1)")
        if name == "verify-remote":
            command.add_argument("--remote", help="name of the remote (default: DVC's default remote)")
        if name == "results":
            command.add_argument("--machine", required=True, help="name of this machine's folder")
            command.add_argument(
                "--partial",
                action="store_true",
                help="of a study that is not finished: the candidates that were measured",
            )
            command.add_argument(
                "--force",
                action="store_true",
                help="replace files of that folder that this did not file, or changed ones",
            )
    check = add("check", _check, "check params files against the closed schema")
    check.add_argument("files", nargs="+")
    check.add_argument(
        "--resolved", action="store_true", help="print the study with every value, and the rows of its recipe"
    )
    add("pages", _pages, "write the tables of these pages anew from results/").add_argument("files", nargs="+")
    add("figures", _figures, "draw the plots of these pages anew from results/").add_argument("files", nargs="+")
    for own in (
        run_study,
        raw,
        pull,
        clean,
        experiment,
        experiments,
        studies,
        new_study,
        predict,
        package,
        serve,
        report,
        lint,
    ):
        own.add_to(commands)
    try:
        _check_arguments(sys.argv[1:] if argv is None else argv)
    except ConfigError as error:
        print(f"ConfigError:{error}", file=sys.stderr)
        return 1
    arguments = parser.parse_args(argv)
    try:
        code = int(arguments.function(arguments))
        sys.stdout.flush()
        return code
    except PipelineError as error:
        print(f"{type(error).__name__}:{error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read the output has enough: `temper studies | head`
        _let_go_of_stdout()
        return 128 + 13  # as a shell counts SIGPIPE
    except OSError as error:
        if error.errno not in _DISK:
            raise
        if error.errno == errno.ENOSPC:
            _let_go_of_stdout()
        known = StorageError(
            asked=f"run temper {' '.join(sys.argv[1:] if argv is None else argv)}",
            happened=f"{error.strerror}, of {error.filename or 'its output or of a file that it writes'}",
            spoiled="what it was writing: that is not whole, or not there",
            fix=_DISK[error.errno],
        )
        print(f"StorageError:{known}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("temper: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())
