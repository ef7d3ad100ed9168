"""The real Snakefile on tiny studies. Each study is run once, for all workers; a test that changes one gets a copy of it.

Everything runs from a copy of the code, so that a test may edit a module, and an edit of the checkout while the tests
run reaches none of them.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from temper.artifacts.manifest import sha256
from temper.orchestration.plan import parse_dry_run
from tests.workflow.warm import WARM, warm_with

if TYPE_CHECKING:
    from tests.workflow.repository import Repository

MadeOnce = Callable[[str, Callable[[Path], None]], Path]  # tests/conftest.py
ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PARTS = re.compile(r"asked: +(?P<asked>.+)\n\s+happened: +(?P<happened>.+)\n(?:.*\n)*?\s+affected: +.+\n\s+fix: +.+")
NEVER_EDITED: set[Path] = set()  # folders of code, of this worker
PATIENCE_S = 300  # on a machine that others use, too
# clocks stand in these, or digests of what does
VARYING = (
    "artifacts/measurements/",
    "artifacts/load_tests/",
    "artifacts/remeasurements.json",
    "artifacts/report/",
    *(f"artifacts/jobs/{rule}" for rule in ("build", "load_test", "measure", "remeasure", "report")),
)
FEWER_SAMPLES = {"calibrations__main__samples": 8}
ROWS = [("a dull plot", 0), ("a charming film", 1)] * 60
FILES = {
    "source": "files",
    "format": "tsv",
    "quoting": False,
    "train": {"path": "data/raw/train.tsv", "columns": None},
    "validation": None,
    "test": {"path": "data/raw/test.tsv", "columns": None},
    "text": ["text"],
    "label": "label",
    "label_names": ["negative", "positive"],
    "validation_rows": 24,
    "calibration_rows": 16,
    "max_tokens": 32,
}


def copy_source(name: str, folder: Path) -> None:
    """A folder of the checkout, bytecode included (it names the time of its source, which a copy has too)."""
    shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.egg-info", "*.pyc.*"))


def copy_code(folder: Path) -> None:
    """What `snakemake` runs and the tiny studies, in a folder of their own."""
    for name in ("workflow", "profiles", "src"):
        copy_source(name, folder)
    for file in (ROOT / "Snakefile", ROOT / "params.yaml", *HERE.glob("params.*.yaml")):
        shutil.copy2(file, folder / file.name)


def jobs_in(output: str) -> list[str]:
    """The jobs that a run started, sorted: 'measure ort-int8', 'report'. The target rule `all` is none."""
    jobs = re.findall(r"^Job \d+: (.+)$", output, re.MULTILINE)
    return sorted(job for job in jobs if not job.startswith("all "))


def adopted_in(output: str) -> list[str]:
    """The jobs of a run that adopted what they made before, sorted."""
    return sorted(re.findall(r"^(.+): adopted: ", output, re.MULTILINE))


def happened(output: str) -> str:
    """What the error in four parts says happened. Fails unless it has all four, and where a traceback is shown."""
    assert "Traceback" not in output, output
    error = PARTS.search(output)
    assert error is not None, output
    print(error["happened"])
    return error["happened"]


@dataclass(frozen=True)
class StudyFolder:
    """A folder with its params.yaml and what a run makes of it."""

    folder: Path
    code: Path

    def __truediv__(self, path: str) -> Path:
        return self.folder / path

    def _options(self, *arguments: str, cores: int = 2) -> list[str]:
        """Of `snakemake` in this folder."""
        where = ["--snakefile", str(self.code / "Snakefile"), "--directory", str(self.folder)]
        return [*where, "--cores", str(cores), *arguments]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.code / "src")}

    def command(self, *arguments: str, cores: int = 2) -> dict[str, Any]:
        """Arguments for subprocess: `snakemake` in this folder, in a process group of its own."""
        return {
            "args": [sys.executable, "-m", "snakemake", *self._options(*arguments, cores=cores)],
            "cwd": self.code,
            "env": self._environment(),
            "text": True,
            "start_new_session": True,
        }

    def _run(
        self, command: str, arguments: Sequence[str], patience_s: float = PATIENCE_S
    ) -> "subprocess.CompletedProcess[str]":
        process = warm_with(self.code / "src") if self.code in NEVER_EDITED else WARM
        return process.run(command, arguments, cwd=self.code, env=self._environment(), patience_s=patience_s)

    def snakemake(self, *arguments: str, cores: int = 2, patience_s: float = PATIENCE_S) -> str:
        """Run it; return what it printed."""
        done = self._run("snakemake", self._options(*arguments, cores=cores), patience_s)
        output: str = done.stdout + done.stderr
        assert done.returncode == 0, output
        return output

    def refused(self, *arguments: str) -> str:
        """Run it where it has to fail; return what it printed."""
        done = self._run("snakemake", self._options(*arguments))
        output: str = done.stdout + done.stderr
        assert done.returncode != 0, output
        return output

    def temper(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the `temper` command."""
        return self._run("temper", arguments)

    def planned(self, *arguments: str) -> list[str]:
        """The jobs that would run, sorted; [] where Snakemake says that nothing is to be done."""
        output = self.snakemake(*arguments, "--dry-run", "--quiet", "host")
        jobs = sorted(f"{job.rule} {job.row}".strip() for job in parse_dry_run(output))
        assert jobs or "Nothing to be done" in output, output
        return jobs

    def start_and_wait_for(self, path: str, *, by: str = "snakemake") -> "subprocess.Popen[str]":
        """Start `snakemake`, or `temper run`, and return once the job that opens `path` (its log) is under way."""
        (self / path).unlink(missing_ok=True)
        how = self.command()
        if by == "temper run":
            how["args"] = [sys.executable, "-m", "temper.cli", "run", "--directory", str(self.folder), "--cores", "2"]
        with open(self / "terminal.txt", "w") as terminal:
            process = subprocess.Popen(**how, stdout=terminal, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + PATIENCE_S
        while not (self / path).exists():
            assert process.poll() is None, self.terminal()
            assert time.monotonic() < deadline, self.terminal()
            time.sleep(0.02)
        return process

    def terminal(self) -> str:
        """What the process of `start_and_wait_for` printed so far."""
        return (self / "terminal.txt").read_text()

    def set(self, **changes: Any) -> None:
        """Change params.yaml: `calibrations__main__samples=8`; a row whose new value is ... is removed."""
        params = yaml.safe_load((self / "params.yaml").read_text())
        for path, value in changes.items():
            *parents, key = path.split("__")
            section = params
            for parent in parents:
                section = section[parent]
            if value is ...:
                del section[key]
            else:
                section[key] = value
        (self / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    def files(self) -> list[str]:
        """Every file below data/ and artifacts/, hidden ones too, sorted."""
        paths = [path for top in ("data", "artifacts") for path in (self / top).rglob("*") if path.is_file()]
        return sorted(path.relative_to(self.folder).as_posix() for path in paths)

    def digests(self) -> dict[str, str]:
        """SHA-256 of every file that equal settings must repeat: measurements and the time a build took are left out."""
        kept = [path for path in self.files() if not path.startswith(VARYING) and not path.endswith("/engine.json")]
        return {path: sha256(self / path) for path in kept}

    def scratch(self) -> list[str]:
        """Names that begin with a dot below data/ and artifacts/: what a job has left half-written."""
        return [str(path) for top in ("data", "artifacts") for path in (self / top).rglob(".*")]


def tsv(rows: list[tuple[str, int]]) -> bytes:
    return "".join(["text\tlabel\n", *(f"{text}\t{label}\n" for text, label in rows)]).encode()


def from_files(study: StudyFolder, **changes: bytes | None) -> None:
    """Let the study read TSV files: `train=` and `test=` replace the content of a good file, None leaves it out."""
    study.set(data=FILES)
    (study / "data/raw").mkdir(parents=True)
    for name, content in {"train": tsv(ROWS), "test": tsv(ROWS[:40]), **changes}.items():
        if content is not None:
            (study / f"data/raw/{name}.tsv").write_bytes(content)


def other_version(folder: Path, name: str) -> str:
    """A folder for PYTHONPATH in which the distribution has version 99."""
    info = folder / f"{name.replace('-', '_')}-99.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 99\n")
    return str(folder)


def end(process: "subprocess.Popen[str]", kind: signal.Signals) -> int:
    """Send a signal to a process group, as Ctrl-C in a terminal does, and wait for its end."""
    os.killpg(process.pid, kind)
    return process.wait(timeout=PATIENCE_S)


@pytest.fixture(scope="session")
def code(made_once: MadeOnce) -> Path:
    """A copy of the code that no test edits."""
    made = made_once("code", copy_code)
    NEVER_EDITED.add(made)
    return made


def run_once(kind: str, code: Path, made_once: MadeOnce, folder: Path) -> Iterator[StudyFolder]:
    """This worker's copy of the study that one of the workers ran."""

    def make(original: Path) -> None:
        study = StudyFolder(original, code)
        shutil.copy(code / f"params.{kind}.yaml", study / "params.yaml")
        (study / "first-run.txt").write_text(study.snakemake(patience_s=5 * PATIENCE_S))  # every job
        (study / "made-in.txt").write_text(str(original))

    shutil.copytree(made_once(kind, make), folder, symlinks=True)
    yield StudyFolder(folder, code)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def finished(code: Path, made_once: MadeOnce, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyFolder]:
    """The tiny study, run once. Read it only."""
    yield from run_once("tiny", code, made_once, tmp_path_factory.mktemp("finished") / "study")


@pytest.fixture(scope="session")
def finished_images(code: Path, made_once: MadeOnce, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyFolder]:
    """The tiny study of images, run once. Read it only."""
    yield from run_once("tiny-images", code, made_once, tmp_path_factory.mktemp("finished_images") / "study")


@pytest.fixture
def study(finished: StudyFolder, tmp_path: Path) -> Iterator[StudyFolder]:
    """A copy of the finished study, times of files and Snakemake's own records included.

    What could be adopted is left out (tests/workflow/test_adopted.py has it): what is planned here, really runs.
    """
    folder = tmp_path / "study"
    shutil.copytree(finished.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("made-files"))
    yield StudyFolder(folder, finished.code)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def fewer_samples(finished: StudyFolder, made_once: MadeOnce) -> StudyFolder:
    """The finished study after a run on half of the calibration's rows, and what that printed (run.txt). Read it only."""

    def make(folder: Path) -> None:
        ignore = shutil.ignore_patterns("made-files")
        shutil.copytree(finished.folder, folder, symlinks=True, ignore=ignore, dirs_exist_ok=True)
        study = StudyFolder(folder, finished.code)
        study.set(**FEWER_SAMPLES)
        (study / "run.txt").write_text(study.snakemake())

    return StudyFolder(made_once("fewer-samples", make), finished.code)


@pytest.fixture
def fresh(code: Path, tmp_path: Path) -> Iterator[StudyFolder]:
    """The tiny study, not yet run."""
    study = StudyFolder(tmp_path / "fresh", code)
    study.folder.mkdir()
    shutil.copy(code / "params.tiny.yaml", study / "params.yaml")
    yield study
    shutil.rmtree(study.folder)


@pytest.fixture
def own_code(study: StudyFolder, tmp_path: Path) -> Iterator[StudyFolder]:
    """The finished study with code that the test may edit."""
    folder = tmp_path / "code"
    folder.mkdir()
    yield StudyFolder(study.folder, copy_code_of(study.code, folder))
    shutil.rmtree(folder)


def copy_code_of(code: Path, folder: Path) -> Path:
    """A second copy, of the session's code rather than of a checkout that may have changed since."""
    return Path(shutil.copytree(code, folder, dirs_exist_ok=True))


@pytest.fixture(scope="session")
def finished_repository(
    finished: StudyFolder, made_once: MadeOnce, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["Repository"]:
    """A checkout with the finished tiny study, handed to DVC: it is there sooner than by `dvc repro`. Read it only."""
    from tests.workflow.repository import Repository, checkout_of, copy_repository

    def make(folder: Path) -> None:
        made = checkout_of(finished, folder / "study")
        (made / "commit.txt").write_text(made.temper_says("commit"))
        (made / ".git/info/exclude").write_text("commit.txt\n")
        made.commit("the first run")
        made.run("git", "repack", "-a", "-d", "--quiet")  # one file for six hundred: each test copies it

    original = made_once("repository", make) / "study"
    made = copy_repository(Repository(original, original), tmp_path_factory.mktemp("repository") / "study")
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture
def mount_small() -> Iterator[Callable[[Path, str], Path]]:
    """Mounts a small file system over an emptied folder."""
    mounted: list[Path] = []

    def mount(folder: Path, size: str) -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("no mount command")
        if done.returncode != 0:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def repository(finished_repository: "Repository", tmp_path: Path) -> Iterator["Repository"]:
    """A copy of the finished checkout."""
    from tests.workflow.repository import copy_repository

    made = copy_repository(finished_repository, tmp_path / "study")
    yield made
    shutil.rmtree(made.folder)
