"""A whole checkout with a tiny study, under git and DVC, as a user has it."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from temper.orchestration.jobs import Job
from temper.orchestration.pipeline import pipeline_text
from tests.warm_python import warm_python
from tests.workflow.conftest import HERE, PATIENCE_S, ROOT, StudyFolder, copy_source
from tests.workflow.warm import MODULES, WARM

CODE = ("workflow", "profiles", "src", "Snakefile", ".dvcignore", ".gitignore", "pyproject.toml")
JOB = re.compile(r"^> temper job (.+)$", re.MULTILINE)
BIN = Path(sys.executable).parent


def dvc_jobs(output: str) -> list[str]:
    """The jobs that DVC ran, sorted: 'measure ort-int8', 'report'. The stage `settings` is none."""
    return sorted(JOB.findall(output))


@dataclass(frozen=True)
class Repository(StudyFolder):
    """A checkout whose root is a study."""

    def run(self, *command: str, check: bool = True, **environment: str) -> str:
        """Run a command in the checkout; return what it printed."""
        done = self.attempt(*command, **environment)
        output = done.stdout + done.stderr
        assert not check or done.returncode == 0, output
        return output

    def attempt(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command that may fail."""
        first = environment.pop("PATH", "")  # what a test puts in front of all
        path = os.pathsep.join(filter(None, [first, str(warm_python().bin), str(BIN), os.environ["PATH"]]))
        code = os.pathsep.join(filter(None, [environment.pop("PYTHONPATH", ""), str(self.code / "src")]))
        kept = {key: value for key, value in os.environ.items() if key != "DVC_STAGE"} | {"PYTHONPATH": code}
        env = {**kept, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environment}
        if command[0] in MODULES:
            return WARM.run(command[0], command[1:], cwd=self.folder, env=env, patience_s=4 * PATIENCE_S)
        return subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=4 * PATIENCE_S)

    def dvc(self, *arguments: str, **environment: str) -> str:
        return self.run("dvc", *arguments, **environment)

    def repro(self, **environment: str) -> list[str]:
        """The jobs that `dvc repro` ran."""
        return dvc_jobs(self.dvc("repro", **environment))

    def stale_stages(self, **environment: str) -> list[str]:
        """Jobs that DVC finds stale themselves (not those that follow), after the first stage wrote settings.json."""
        self.run("temper", "settings", **environment)
        changed = json.loads(self.dvc("status", "--json", **environment).splitlines()[-1])
        names = (
            name.replace("convert_calibrated_", "convert_").replace("build_bucketed_", "build_") for name in changed
        )
        return sorted(name.replace("@", " ") for name in names if name != "settings")

    def jobs(self) -> list[Job]:
        """All jobs of the study, as its own Snakefile plans them."""
        program = (
            "import dataclasses, json, temper.orchestration.jobs as tracking;"
            "print(json.dumps([dataclasses.asdict(job) for job in tracking.planned_jobs()]))"
        )
        found = json.loads(self.run("python", "-c", program).splitlines()[-1])
        tuples = ("inputs", "outputs")
        return [
            Job(**{**job, **{key: tuple(job[key]) for key in tuples}, "needs": tuple(map(tuple, job["needs"]))})
            for job in found
        ]

    def commit(self, message: str = "a step") -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", message)

    def temper_says(self, *arguments: str, **environment: str) -> str:
        """What a `temper` command printed that has to succeed."""
        return self.run("temper", *arguments, **environment)


def make_repository(folder: Path, params: Path = HERE / "params.tiny.yaml") -> Repository:
    """A checkout of this code with its own git and DVC, nothing run yet."""
    folder.mkdir(parents=True)
    for name in CODE:
        if (ROOT / name).is_dir():
            copy_source(name, folder)
        else:
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".dvc").mkdir()
    for name in (".gitignore", "config"):
        shutil.copy2(ROOT / ".dvc" / name, folder / ".dvc" / name)
    shutil.copy(params, folder / "params.yaml")
    (folder / "dvc.yaml").write_text(pipeline_text(folder))
    made = Repository(folder, folder)
    made.run("git", "init", "--quiet", "--initial-branch", "main")
    made.run("git", "config", "user.email", "someone@example.org")
    made.run("git", "config", "user.name", "Someone")
    made.commit("the study")
    return made


def checkout_of(finished: StudyFolder, folder: Path) -> Repository:
    """A checkout in which plain `snakemake` has finished the tiny study; DVC knows nothing of it yet."""
    made = make_repository(folder)
    for name in ("data", "artifacts", "logs", ".snakemake"):
        ignore = shutil.ignore_patterns("made-files")  # what is planned here, really runs
        shutil.copytree(finished / name, folder / name, symlinks=True, dirs_exist_ok=True, ignore=ignore)
    return made


def copy_repository(source: Repository, folder: Path) -> Repository:
    """A copy with times of files, DVC's cache and Snakemake's memory."""
    shutil.copytree(source.folder, folder, symlinks=True)
    return Repository(folder, folder)
