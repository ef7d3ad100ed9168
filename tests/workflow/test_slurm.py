"""A study on a real Slurm of one node: each job as it was asked for, what is timed alone, and what breaks as documented.

$TEMPER_SLURM_LOG names a file for the embedded study's table: jobs, what was asked for, what they used, when they ran.
Needs Slurm and munge from Debian (slurm-wlm, slurm-wlm-basic-plugins, munge), root, what requirements/slurm.txt names, and the
script that brings a Slurm of one node up, which is not of this repository. Two partitions of the node stand for two machines.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from temper.artifacts.manifest import sha256
from tests.workflow.conftest import VARYING

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT.parent / "shared/tools/mini_slurm.sh"
CPUS, MEMORY_MB = 4, 16000  # that the node says it has
PATIENCE_S = 2400  # the embedded study on two slow processors that others use
LONGER_THAN_BOTH_TRIES = 8000  # epochs of the small study: minutes, where Slurm ends each try after 60 to 90 s
AWAY_S = 45  # more than a round of questions after a run's jobs takes
TIMED = ("measure", "remeasure", "load_test", "read_machine")
SMALL = {
    "defaults": 1,
    "study": "small",
    "data": {"source": "synthetic", "train_rows": 160, "test_rows": 60, "label_noise": 0.0, "max_tokens": 32}
    | {"validation_rows": 24, "calibration_rows": 16},
    "model": {
        "model_type": "distilbert",
        "config": {"dim": 16, "hidden_dim": 64, "n_layers": 1, "n_heads": 2, "max_position_embeddings": 32},
        "preprocessor": {"kind": "tokenizer", "algorithm": "bpe", "vocabulary_size": 300},
    },
    "train": {"epochs": 1},
    "baseline": {"backend": "ort-cpu", "loads": "onnx/fp32"},
    "machines": {"small": {"partition": "cpu", "cores": 4}},
    "workloads": {"b2-s16": {"batch_size": 2, "sequence_length": 16}},
    "measurement": {
        **{"warmup_runs": 2, "calls_per_turn": 2, "min_calls": 12, "max_calls": 40, "min_duration_s": 0.0},
        **{"max_duration_s": 0.5, "busy_share": 1.0, "quiet_wait_s": 0.0, "resamples": 400, "distinct_batches": 2},
        **{"alone_calls": 5, "throughput_callers": [1], "throughput_duration_s": 0.01},
    },
    "candidates": {"ort-int8": {"backend": "ort-cpu", "loads": "onnx/int8-dynamic"}},
}
TWO = {
    "machines": {"small": {"partition": "cpu", "cores": 4}, "large": {"partition": "gpu", "cores": 4}},
    "candidates": {
        **SMALL["candidates"],
        "ort-int8-large": {"backend": "ort-cpu", "loads": "onnx/int8-dynamic", "machine": "large"},
    },
}

pytestmark = pytest.mark.long


def processes() -> Iterator[tuple[str, Path]]:
    """Number of its job and folder below /proc of each process that Slurm has started."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            variables = (place / "environ").read_bytes()
        except OSError:  # it has just ended
            continue
        found = re.search(rb"(?:^|\0)SLURM_JOB_ID=(\d+)", variables)
        if found:
            yield found[1].decode(), place


class Memory(threading.Thread):
    """Most memory that each job has had resident, of all its processes together as Slurm counts it, while the block lasts."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peaks_mib: dict[str, float] = {}
        self.over = threading.Event()

    def run(self) -> None:
        page_mib = os.sysconf("SC_PAGE_SIZE") / 2**20
        while not self.over.wait(0.5):
            now: dict[str, float] = {}
            for number, place in processes():
                try:
                    pages = int((place / "statm").read_text().split()[1])
                except (OSError, IndexError):
                    continue
                now[number] = now.get(number, 0.0) + pages * page_mib
            for number, mib in now.items():
                self.peaks_mib[number] = max(mib, self.peaks_mib.get(number, 0.0))

    def __enter__(self) -> "Memory":
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.over.set()
        self.join()


class Slurm:
    """The node, and the studies that are run on it."""

    def __init__(self, state: Path) -> None:
        self.environment = {
            **os.environ,
            "MS": str(state),
            "MS_CPUS": str(CPUS),
            "MS_MEM": str(MEMORY_MB),
            "MS_GPUS": "2",
        }
        self.environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
        self.state = state

    def script(self, *arguments: str) -> str:
        """Of the script that has the daemons."""
        done = subprocess.run(
            ["bash", SCRIPT, *arguments], env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        return done.stdout

    def jobs(self, folder: Path) -> list[dict[str, str]]:
        """What Slurm says of each job of a study, in the order in which they were submitted."""
        found = []
        for block in self.ask("scontrol", "show", "jobs", "--oneliner").splitlines():
            facts = dict(each.partition("=")[::2] for each in block.split() if "=" in each)
            if facts.get("WorkDir") == str(folder):
                found.append(facts)
        return found

    def started(self, folder: Path, job: str, patience_s: float = 300) -> str:
        """Number of a job of this rule and row once it runs."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            for facts in self.jobs(folder):
                if facts["JobState"] == "RUNNING" and facts["Comment"].startswith(job):
                    return facts["JobId"]
            time.sleep(0.3)
        raise AssertionError(f"{job} did not start: {self.jobs(folder)}")

    def submitted(self, folder: Path, job: str, patience_s: float = 300) -> str:
        """Number of a job of this rule and row once it is in the queue."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            for facts in self.jobs(folder):
                if facts["Comment"].startswith(job):
                    return facts["JobId"]
            time.sleep(0.3)
        raise AssertionError(f"{job} was not submitted: {self.jobs(folder)}")

    def in_its_step(self, run: "subprocess.Popen[str]", folder: Path, log: str) -> None:
        """Wait until a job that Slurm has started is at work: its log is the first that it writes."""
        while not (folder / f"logs/{log}.log").exists():
            assert run.poll() is None, self.said(folder)
            time.sleep(0.1)

    def state_of(self, folder: Path, number: str) -> str:
        return next(facts["JobState"] for facts in self.jobs(folder) if facts["JobId"] == number)

    def end_controller(self) -> None:
        os.kill(int((self.state / "run/slurmctld.pid").read_text()), signal.SIGTERM)

    def begin_controller(self) -> None:
        conf = str(self.state / "slurm.conf")
        subprocess.run(["slurmctld"], env={**self.environment, "SLURM_CONF": conf}, check=True)

    def end_jobs(self, folder: Path) -> None:
        """What docs/how-to/cluster.md says of jobs that a run has left behind."""
        self.ask("scancel", f"--name={self.jobs(folder)[-1]['JobName']}")
        deadline = time.monotonic() + 60
        while any(facts["JobState"] in ("PENDING", "RUNNING", "COMPLETING") for facts in self.jobs(folder)):
            assert time.monotonic() < deadline, self.jobs(folder)
            time.sleep(0.3)

    def begin(self, folder: Path, **resources: dict[str, int]) -> "subprocess.Popen[str]":
        """Start a study's run; its output is in run.txt beside it."""
        profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
        profile |= {"temper-slurm-init-seconds-before-status-checks": 4, "latency-wait": 20}
        for rule, asked in resources.items():
            profile["set-resources"].setdefault(rule, {}).update(asked)
        place = folder.parent / f"{folder.name}-profile"
        shutil.copytree(ROOT / "profiles/slurm", place, dirs_exist_ok=True)
        (place / "config.yaml").write_text(yaml.safe_dump(profile))
        command = [sys.executable, "-P", "-m", "temper.cli", "run", "-C", str(folder), "--profile", str(place)]
        with (folder.parent / f"{folder.name}.txt").open("w") as said:
            return subprocess.Popen(
                command, env=self.environment, stdout=said, stderr=said, text=True, start_new_session=True
            )

    def ended(self, process: "subprocess.Popen[str]", folder: Path) -> tuple[int, str]:
        """Exit code and output of a run."""
        try:
            code = process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(self.said(folder)) from None
        return code, self.said(folder)

    def said(self, folder: Path) -> str:
        return (folder.parent / f"{folder.name}.txt").read_text()

    def planned(self, folder: Path) -> str:
        command = [sys.executable, "-P", "-m", "temper.cli", "plan", "-C", str(folder)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=200).stdout


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="requirements/slurm.txt is not installed")
    if not SCRIPT.is_file():
        pytest.skip(f"{SCRIPT.name} is not here")
    if os.geteuid() != 0 or not all(map(shutil.which, ("slurmctld", "slurmd", "munged"))):
        pytest.skip("needs root, and slurm-wlm with munge from Debian")
    node = Slurm(tmp_path_factory.mktemp("slurm"))
    node.script("start")
    yield node
    node.script("stop")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The small study, not yet run."""
    return study(tmp_path / "small", SMALL)


def study(folder: Path, params: dict) -> Path:
    folder.mkdir()
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def span(facts: dict[str, str]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(facts["StartTime"]), datetime.fromisoformat(facts["EndTime"])


def rule_of(facts: dict[str, str]) -> str:
    found = re.match(r"rule_(\w+?)(_wildcards|$)", facts["Comment"])
    assert found is not None, facts
    return found[1]


def check_jobs(jobs: list[dict[str, str]]) -> None:
    """Every job with what was asked for it; what is timed with its node for itself, as its times show."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    for facts in jobs:
        asked = {**profile["default-resources"], **profile["set-resources"].get(rule_of(facts), {})}
        assert facts["MinMemoryNode"] == f"{asked['mem_mb']}M", facts
        hours, minutes = divmod(asked["runtime"], 60)
        assert facts["TimeLimit"] == f"{hours:02}:{minutes:02}:00"
        assert (facts["OverSubscribe"] == "NO") == (rule_of(facts) in TIMED)
    timed = [facts for facts in jobs if rule_of(facts) in TIMED]
    for own in timed:
        began, ended = span(own)
        beside = [other for other in jobs if other is not own and span(other)[0] < ended and span(other)[1] > began]
        assert not beside, (own["Comment"], [other["Comment"] for other in beside])
        assert own["NumCPUs"] == str(CPUS)


def log_of(jobs: list[dict[str, str]], peaks_mib: dict[str, float]) -> str:
    """Table of a run's jobs: what was asked for, what was used, and when, from the first job's beginning on."""
    nodes = list(dict.fromkeys(facts["NodeList"] for facts in jobs))
    first = min(span(facts)[0] for facts in jobs)
    lines = [
        "| job | node | processors | memory asked, MB | most resident, MiB | limit | began, s | ended, s |",
        "| --- | --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for facts in sorted(jobs, key=span):
        began, ended = ((each - first).total_seconds() for each in span(facts))
        job = facts["Comment"].removeprefix("rule_").replace("_wildcards_", " ")
        where = f"{facts['Partition']} {nodes.index(facts['NodeList']) + 1}"
        peak = f"{peaks_mib[facts['JobId']]:.0f}" if facts["JobId"] in peaks_mib else "–"
        asked = f"{facts['NumCPUs']} | {facts['MinMemoryNode'].removesuffix('M')} | {peak} | {facts['TimeLimit']}"
        lines.append(f"| {job} | {where} | {asked} | {began:.0f} | {ended:.0f} |")
    return "\n".join(lines) + "\n"


def made(folder: Path) -> dict[str, str]:
    """SHA-256 of every artifact that equal settings must repeat."""
    files = [
        file
        for top in ("data", "artifacts", "machines")
        for file in sorted((folder / top).rglob("*"))
        if file.is_file()
    ]
    paths = [file.relative_to(folder).as_posix() for file in files]
    kept = [
        path
        for path in paths
        if not path.startswith((*VARYING, "artifacts/jobs/")) and not path.endswith("engine.json")
    ]
    return {path: sha256(folder / path) for path in kept if not path.endswith("model.engine")}


def test_the_embedded_study_ends_as_on_this_machine_with_each_job_as_asked(slurm, tmp_path):
    params = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"machines": {"node": {"cores": CPUS}}}
    params["measurement"] |= {"busy_share": 1.0, "quiet_wait_s": 0.0}  # tests run beside it
    there = study(tmp_path / "there", params)
    with Memory() as memory:
        code, said = slurm.ended(slurm.begin(there), there)
    assert code == 0, said
    jobs = slurm.jobs(there)
    if "TEMPER_SLURM_LOG" in os.environ:
        Path(os.environ["TEMPER_SLURM_LOG"]).write_text(log_of(jobs, memory.peaks_mib))
    check_jobs(jobs)
    assert "Nothing to be done" in slurm.planned(there)
    here = study(tmp_path / "here", params)
    command = [sys.executable, "-P", "-m", "temper.cli", "run", "-C", str(here), "--cores", "2"]
    subprocess.run(command, env=slurm.environment, check=True, capture_output=True, timeout=PATIENCE_S)
    assert made(there) == made(here)


def test_candidates_of_two_machines_run_in_their_partitions_and_a_changed_driver_measures_its_own(slurm, tmp_path):
    folder = study(tmp_path / "two", {**SMALL, **TWO})
    code, said = slurm.ended(slurm.begin(folder), folder)
    assert code == 0, said
    jobs = slurm.jobs(folder)
    check_jobs(jobs)
    partitions = {facts["Comment"]: facts["Partition"] for facts in jobs}
    assert partitions["rule_measure_wildcards_ort-int8"] == partitions["rule_remeasure_wildcards_small"] == "cpu"
    assert (
        partitions["rule_measure_wildcards_ort-int8-large"] == partitions["rule_read_machine_wildcards_large"] == "gpu"
    )
    for machine, candidate in (("small", "ort-int8"), ("large", "ort-int8-large")):
        report = json.loads((folder / f"artifacts/report/{machine}/comparison.json").read_text())
        assert candidate in report["candidates"]
        assert len(report["candidates"]) == 3
    job = json.loads((folder / "artifacts/jobs/measure/ort-int8.json").read_text())
    assert job["made_on"]["node"] == jobs[0]["NodeList"]
    seen = folder / "machines/large.json"
    seen.write_text(seen.read_text().replace('"onnxruntime": "', '"onnxruntime": "0.'))
    plan = slurm.planned(folder)
    assert "measure ort-int8-large: " in plan
    assert not re.search(r"^  (measure|remeasure|report) (ort-int8|baseline|harness|small):", plan, re.MULTILINE)


def test_a_run_goes_through_a_cancelled_job_a_drained_node_a_restarted_controller_and_a_killed_slurmd(slurm, small):
    run = slurm.begin(small)
    slurm.ask("scancel", slurm.started(small, "rule_fine_tune"))

    slurm.started(small, "rule_export_onnx")
    node = slurm.jobs(small)[0]["NodeList"]
    slurm.ask("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    waiting = slurm.submitted(
        small, "rule_measure_wildcards_harness"
    )  # follows the export, which ran to its end all the same
    time.sleep(5)
    assert slurm.state_of(small, waiting) == "PENDING"
    slurm.ask("scontrol", "update", f"nodename={node}", "state=resume")

    slurm.started(small, "rule_convert_precision")
    slurm.end_controller()
    time.sleep(2)
    slurm.begin_controller()

    slurm.started(small, "rule_measure_wildcards_ort-int8")
    slurm.in_its_step(run, small, "measure/ort-int8")  # which lives without slurmd; before it, `srun` fails
    slurm.script("kill-slurmd")
    time.sleep(15)  # beyond SlurmdTimeout: the controller takes the node for down
    slurm.script("start-slurmd")

    code, said = slurm.ended(run, small)
    if code != 0:  # the second try of a job may be lost as well: what is there stays, and the next run goes on
        code, said = slurm.ended(slurm.begin(small), small)
    assert code == 0, said
    assert "Nothing to be done" in slurm.planned(small)
    tries = [facts["JobState"] for facts in slurm.jobs(small) if rule_of(facts) == "fine_tune"]
    assert tries == ["CANCELLED", "COMPLETED"]


def test_a_job_beyond_its_memory_ends_the_run_and_the_next_one_makes_what_is_missing(slurm, small):
    code, said = slurm.ended(slurm.begin(small, fine_tune={"mem_mb": 60}), small)
    assert code == 1, said
    assert "failed: fine_tune" in said
    assert "Traceback" not in said
    tries = [facts["JobState"] for facts in slurm.jobs(small) if rule_of(facts) == "fine_tune"]
    assert len(tries) == 2  # once more, as the profile says
    assert "COMPLETED" not in tries
    before = sha256(small / "artifacts/jobs/prepare_data.json")
    assert not (small / "artifacts/checkpoint/checkpoint.json").exists()
    code, said = slurm.ended(slurm.begin(small), small)
    assert code == 0, said
    assert sha256(small / "artifacts/jobs/prepare_data.json") == before
    assert "Nothing to be done" in slurm.planned(small)


def test_a_job_beyond_its_time_ends_the_run_and_the_next_one_with_more_time_makes_what_is_missing(slurm, tmp_path):
    folder = study(tmp_path / "slow", {**SMALL, "train": {"epochs": LONGER_THAN_BOTH_TRIES}})
    code, said = slurm.ended(slurm.begin(folder, fine_tune={"runtime": 1}), folder)
    assert code == 1, said
    assert "failed: fine_tune" in said
    assert "Traceback" not in said
    first = slurm.jobs(folder)
    assert [facts["JobState"] for facts in first if rule_of(facts) == "fine_tune"] == ["TIMEOUT", "TIMEOUT"]
    assert not (folder / "artifacts/checkpoint/checkpoint.json").exists()
    there = {facts["Comment"] for facts in first if facts["JobState"] == "COMPLETED"}
    assert {"rule_prepare_data", "rule_read_machine_wildcards_small"} <= there
    assert "prepare_data" not in slurm.planned(folder)
    code, said = slurm.ended(slurm.begin(folder), folder)
    assert code == 0, said
    next_ones = [facts for facts in slurm.jobs(folder) if facts["JobId"] not in {own["JobId"] for own in first}]
    assert not there & {facts["Comment"] for facts in next_ones}
    assert [facts["JobState"] for facts in next_ones] == ["COMPLETED"] * len(next_ones)
    assert len(next_ones) == 10 - len(there)
    assert "Nothing to be done" in slurm.planned(folder)


def test_a_run_goes_on_once_a_controller_that_was_away_for_longer_is_back(slurm, small):
    run = slurm.begin(small)
    slurm.started(small, "rule_fine_tune")
    slurm.in_its_step(run, small, "fine_tune")  # which ends without a controller
    slurm.end_controller()
    time.sleep(AWAY_S)
    assert run.poll() is None, slurm.said(small)
    slurm.begin_controller()
    code, said = slurm.ended(run, small)
    assert code == 0, said
    assert said.count("Slurm does not say how its jobs are") == 1
    assert [facts["JobState"] for facts in slurm.jobs(small)] == ["COMPLETED"] * 10
    assert "Nothing to be done" in slurm.planned(small)


def test_a_run_that_is_killed_goes_on_once_its_jobs_are_ended(slurm, small):
    run = slurm.begin(small)
    left = slurm.started(small, "rule_fine_tune")
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    slurm.end_jobs(small)
    # on a node that was also the run's it has seen by itself that its run is gone
    assert slurm.state_of(small, left) in ("CANCELLED", "FAILED")
    before = sha256(small / "artifacts/jobs/prepare_data.json")
    code, said = slurm.ended(slurm.begin(small), small)
    assert code == 0, said
    assert sha256(small / "artifacts/jobs/prepare_data.json") == before
    assert "Nothing to be done" in slurm.planned(small)
