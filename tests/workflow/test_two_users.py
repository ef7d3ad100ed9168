"""Two users of one machine: their studies, a folder they share, and the lock of the machine. As root, who can be both.

Both may read everything (the Python that runs the tests may lie where only root reads); what they may write is as for any user.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from temper.measurement.machine_lock import FOLDER
from tests.workflow.conftest import PATIENCE_S, StudyFolder, happened
from tests.workflow.disturbed import WORDS

pytestmark = pytest.mark.long

GROUP, FIRST, SECOND = 64320, 64321, 64322
MEASURED, LOG = "artifacts/measurements/ort-fp32.json", "logs/measure/ort-fp32.log"
HOLDS = """
import time
from temper.measurement.machine_lock import machine_to_itself
with machine_to_itself("ort-int8"):
    print("held", flush=True)
    time.sleep(600)
"""
ASKS = """
import sys, time
from temper.measurement.machine_lock import machine_to_itself
with machine_to_itself("torch-fp32", say=lambda line: print(line, flush=True)):
    print("mine", flush=True)
"""


@dataclass(frozen=True)
class User:
    """Somebody by number, in the group of both."""

    number: int
    place: Path
    code: Path

    def command(self, *arguments: str, umask: str = "002") -> list[str]:
        as_user = ["setpriv", f"--reuid={self.number}", f"--regid={GROUP}", "--clear-groups"]
        as_user += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        return [*as_user, "sh", "-c", f'umask {umask}; exec "$@"', "sh", sys.executable, "-P", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        home = self.place / f"home-{self.number}"
        if not home.is_dir():
            home.mkdir()
            os.chown(home, self.number, GROUP)
        kept = {**os.environ, "HOME": str(home), "USER": f"user{self.number}", "LOGNAME": f"user{self.number}"}
        lock = {FOLDER: str(self.place / "lock"), "PYTHONPATH": str(self.code / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        return {**kept, **lock, "TMPDIR": str(self.place / "tmp")}

    def start(self, *arguments: str, umask: str = "002") -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command(*arguments, umask=umask),
            cwd=self.place,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code, and what it printed."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=PATIENCE_S)
        return process.returncode, said


@pytest.fixture
def place(code: Path) -> Iterator[Path]:
    """A folder that both can reach; pytest's own are root's alone."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can be two users")
    folder = Path(tempfile.mkdtemp(prefix="two-users-", dir="/tmp"))
    folder.chmod(0o755)
    for name in ("lock", "tmp"):
        (folder / name).mkdir()
        (folder / name).chmod(0o1777)
    shutil.copytree(code, folder / "code")
    probe = User(FIRST, folder, folder / "code").run("-c", "import temper.cli, numpy")
    if probe[0] != 0:
        shutil.rmtree(folder)
        pytest.skip(f"another user cannot start this Python: {probe[1][-200:]}")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def users(place: Path) -> tuple[User, User]:
    return User(FIRST, place, place / "code"), User(SECOND, place, place / "code")


def study_of(finished: StudyFolder, place: Path, *, shared: bool) -> StudyFolder:
    """The finished study as the first user's; with `shared` the group of both may write in it."""
    made = StudyFolder(place / "study", place / "code")
    shutil.copytree(finished.folder, made.folder, symlinks=True, ignore=shutil.ignore_patterns("made-files"))
    for path in (made.folder, *made.folder.rglob("*")):
        os.chown(path, FIRST, GROUP)
        if path.is_dir():
            path.chmod(0o2775 if shared else 0o755)
        else:
            path.chmod(0o664 if shared else 0o644)
    return made


def run_of(study: StudyFolder, *arguments: str) -> list[str]:
    return ["-m", "snakemake", *study._options(*arguments)]


def test_a_study_of_another_user_can_be_looked_at_and_is_not_changed(finished, place, users):
    study = study_of(finished, place, shared=False)
    before = {path: (study / path).read_bytes() for path in study.files()}
    for command in (["plan"], ["table"], ["predict", "--candidate", "ort-fp32", "a charming film"]):
        code, said = users[1].run("-m", "temper.cli", *command, "--directory", str(study.folder))
        assert "Traceback" not in said, said
        assert code == 0 or WORDS.search(said), said
    code, said = users[1].run(*run_of(study))
    assert code != 0
    assert "read-only" in happened(said)
    for command in (["sync"], ["run", "--cores", "1"]):
        code, said = users[1].run("-m", "temper.cli", *command, "--directory", str(study.folder))
        assert code != 0
        assert "Traceback" not in said, said
        assert WORDS.search(said), said
    assert {path: (study / path).read_bytes() for path in study.files()} == before


def test_in_a_shared_folder_the_second_goes_on_where_the_firsts_run_was_killed(finished, place, users):
    study = study_of(finished, place, shared=True)
    digests = study.digests()
    shutil.rmtree(study / "artifacts/calibration/main")
    (study / "artifacts/jobs/calibrate/main.json").unlink()
    (study / "logs/calibrate/main.log").unlink()
    run = users[0].start(*run_of(study, "artifacts/jobs/calibrate/main.json"))
    deadline = time.monotonic() + PATIENCE_S
    while not (study / "logs/calibrate/main.log").exists():
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    code, said = users[1].run(*run_of(study, "artifacts/jobs/calibrate/main.json"))
    assert code != 0
    assert f"process {json.loads((study / '.snakemake/temper/running.json').read_text())['pid']} on " in happened(said)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()
    code, said = users[1].run(*run_of(study, "artifacts/jobs/calibrate/main.json"))
    if code != 0 and "still works in this folder" in said:  # its job ends with it, a moment later
        time.sleep(5)
        code, said = users[1].run(*run_of(study, "artifacts/jobs/calibrate/main.json"))
    assert code == 0, said
    assert study.digests() == digests
    assert study.scratch() == []
    assert list((study / ".snakemake/locks").glob("*.lock")) == []


def test_one_measures_while_the_other_waits_and_is_told_for_whom(users):
    first = users[0].start("-c", HOLDS, umask="077")  # who lets nobody read what is his
    assert first.stdout.readline() == "held\n"
    second = users[1].start("-c", ASKS, umask="077")
    said = second.stdout.readline()
    assert said.startswith("torch-fp32: waiting for ort-int8 (process ")
    assert f"of user{FIRST})" in said
    os.killpg(first.pid, signal.SIGKILL)
    assert second.stdout.readline() == "mine\n"
    assert second.wait(timeout=PATIENCE_S) == 0
    for process in (first, second):
        process.wait()
        process.stdout.close()
    third = users[0].run("-c", ASKS)
    assert third == (0, "mine\n")
