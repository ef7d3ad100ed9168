"""The rows of docs/what-commands-remove.md: a person's files in the way of each command, and what becomes of them.

Refusals change nothing, which is what they are tested for, so they share one checkout of three studies: a finished one, one
that is half made and one that was never run.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from temper.artifacts.manifest import sha256
from temper.cli.app import HELP, HIDDEN
from tests.workflow.conftest import PARTS, ROOT
from tests.workflow.repository import Repository, checkout_of, copy_repository, dvc_jobs

NOTE = "what a person wrote\n"
RAW = "studies/mine/data/raw/train.tsv"
REPORT = "artifacts/report/summary.md"
IN_A_STAGE = "artifacts/onnx/fp32/notes.txt"


def files(made: Repository) -> dict[str, str]:
    """SHA-256 of every file that is there for a person: all but the tools' own folders."""
    own = (".git/", ".dvc/", ".snakemake/", "src/", "logs/")
    paths = (path.relative_to(made.folder).as_posix() for path in made.folder.rglob("*") if path.is_file())
    return {
        path: sha256(made / path) for path in sorted(paths) if not path.startswith(own) and "/.snakemake/" not in path
    }


def add_studies(made: Repository) -> None:
    """A study that was never run, with data that DVC tracks, and one of which one job was done."""
    for name in ("mine", "half"):
        folder = made / f"studies/{name}"
        (folder / "data/raw").mkdir(parents=True)
        for file in ("dvc.yaml", "params.yaml"):
            shutil.copy(made / file, folder / file)
        text = (folder / "params.yaml").read_text()
        (folder / "params.yaml").write_text(re.sub(r"^study: .*$", f"study: {name}", text, flags=re.MULTILINE))
        (folder / "data/raw/train.tsv").write_text(f"text\tlabel\nof {name}\t1\n")
        made.dvc("--cd", str(folder), "add", "--quiet", "data/raw")
    half = made / "studies/half"
    (half / "artifacts/jobs").mkdir(parents=True)
    shutil.copytree(made / "data/prepared", half / "data/prepared")
    shutil.copy(made / "artifacts/jobs/prepare_data.json", half / "artifacts/jobs")
    locked = yaml.safe_load((made / "dvc.lock").read_text())
    locked["stages"] = {"prepare_data": locked["stages"]["prepare_data"]}
    (half / "dvc.lock").write_text(yaml.safe_dump(locked))


@pytest.fixture(scope="module")
def several(finished_repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Three studies in one checkout. A test leaves it as it was."""
    made = copy_repository(finished_repository, tmp_path_factory.mktemp("several") / "checkout")
    add_studies(made)
    made.commit("three studies")
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture
def unchanged(several: Repository) -> Iterator[Repository]:
    """The three studies, and whatever the test puts there itself is there afterwards, the rest as it was."""
    several.run("git", "checkout", "--quiet", ".")
    before = files(several)
    yield several
    after = files(several)
    differing = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert differing <= {"settings.json"}
    assert several.run("git", "status", "--porcelain") == ""


@pytest.fixture
def put(unchanged: Repository) -> Iterator:
    """Writes a person's file, and looks in the end whether it is still there, before it takes it back."""
    written: dict[Path, tuple[str, bytes | None, int]] = {}

    def write(path: str, text: str = NOTE) -> str:
        file = unchanged / path
        before = (file.read_bytes(), file.stat().st_mtime_ns) if file.is_file() else (None, 0)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        written[file] = (text, *before)
        return path

    yield write
    for file, (text, before, time_ns) in written.items():
        assert file.is_file(), f"{file} was removed"
        assert file.read_text() == text
        file.unlink()
        if before is not None:
            file.write_bytes(before)
            os.utime(file, ns=(time_ns, time_ns))


def says(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """A refusal: exit code 1, one error in four parts, these words in it."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(PARTS.findall(done.stderr)) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


# pull


@pytest.mark.parametrize("study", [".", "studies/mine", "studies/half"])
def test_pull_without_a_remote_says_one_thing_and_changes_nothing(unchanged, study):
    done = unchanged.attempt("temper", "pull", "--directory", study)
    says(done, "no remote is set", "dvc remote add --default")
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 5


def test_a_bare_pull_of_dvc_without_a_remote_leaves_the_data_of_other_studies(several):
    """DVC took /data/* in .gitignore for the folder itself, saw no data/*.dvc, and removed what they track as unused."""
    before = {path: digest for path, digest in files(several).items() if "/data/raw/" in path}
    assert len(before) == 2
    assert several.attempt(sys.executable, "-m", "dvc", "pull").returncode != 0
    assert {path: digest for path, digest in files(several).items() if "/data/raw/" in path} == before


def remote_for(made: Repository, folder: Path) -> Path:
    made.dvc("remote", "add", "--quiet", "--default", "shared", str(folder))
    return folder


@pytest.fixture
def with_remote(several: Repository, tmp_path: Path) -> Iterator[tuple[Repository, Repository, Path]]:
    """A clone of the three studies, the checkout that made them, and their remote, to which one push has brought all."""
    remote = remote_for(several, tmp_path / "remote")
    several.dvc("push", "--quiet")
    subprocess.run(["git", "clone", "--quiet", str(several.folder), str(tmp_path / "clone")], check=True)
    clone = Repository(tmp_path / "clone", tmp_path / "clone")
    remote_for(clone, remote)
    yield clone, several, remote
    several.run("git", "checkout", "--quiet", ".dvc/config")
    shutil.rmtree(clone.folder)


def test_pull_brings_the_one_study_it_was_given_and_then_needs_no_job(with_remote):
    clone, several, _ = with_remote
    said = clone.temper_says("pull", "--directory", "studies/mine")
    assert re.match(r"2 objects \(0\.0 MiB\) fetched, 1 of 1 files put in place\n", said)
    assert not (clone / "artifacts").exists()
    assert not (clone / "studies/half/data/prepared").exists()
    assert (clone / RAW).read_text() == (several / RAW).read_text()
    said = clone.temper_says("pull", "--directory", "studies/half")
    assert "1 artifacts checked against their job records" in said
    assert "are not there: temper run -C studies/half makes the" in said.splitlines()[2]
    assert len(said.splitlines()) == 3
    said = clone.temper_says("pull")
    assert "17 artifacts checked against their job records" in said
    assert len(said.splitlines()) == 2
    assert clone.digests() == several.digests()
    assert clone.planned() == []
    assert clone.repro() == []
    assert clone.temper_says("pull").startswith("0 objects (0.0 MiB) fetched, 0 of ")
    # what is in the way: a file with other bytes, one in a folder that DVC keeps as a whole; of an older version, of nobody's
    (clone / IN_A_STAGE).write_text(NOTE)
    (clone / REPORT).write_text(NOTE)
    refused = clone.attempt("temper", "pull")
    says(refused, REPORT, IN_A_STAGE, "temper pull --force")
    assert (clone / REPORT).read_text() == (clone / IN_A_STAGE).read_text() == NOTE
    said = clone.temper_says("pull", "--force")
    folder = re.search(r"moved to (set_aside/\S+)/: ", said)[1]
    assert (clone / folder / REPORT).read_text() == (clone / folder / IN_A_STAGE).read_text() == NOTE
    assert clone.digests() == several.digests()
    shutil.copy(clone / "artifacts/onnx/int8/model.onnx", clone / "artifacts/onnx/fp32/model.onnx")
    assert "of another version that DVC's cache has: artifacts/onnx/fp32/model.onnx" in clone.temper_says("pull")
    assert clone.digests() == several.digests()
    assert clone.run("git", "status", "--porcelain") == " M .dvc/config\n"


@pytest.mark.parametrize("damage", ["gone", "cut to nothing", "another byte", "no remote at all"])
def test_pull_from_a_remote_that_lacks_something_touches_no_file(with_remote, damage):
    clone, _, remote = with_remote
    (clone / "data/raw").mkdir(parents=True)
    (clone / "data/raw/mine.tsv").write_text(NOTE)
    before = files(clone)
    objects = [path for path in (remote / "files/md5").rglob("*") if path.is_file() and path.suffix != ".dir"]
    largest = max(objects, key=lambda path: path.stat().st_size)
    content = largest.read_bytes()
    largest.chmod(0o644)
    if damage == "gone":
        largest.unlink()
    elif damage == "no remote at all":
        shutil.move(remote, remote.with_name("unmounted"))
    else:
        largest.write_bytes(b"" if damage == "cut to nothing" else b"\0" + content[1:])
    done = clone.attempt("temper", "pull")
    told = {"gone": "1 objects are missing", "no remote at all": "there is no folder "}
    says(done, told.get(damage, "1 objects are damaged"), "affected: nothing")
    assert files(clone) == before
    if damage in ("cut to nothing", "another byte"):  # not removed: that is for verify-remote, where the object is
        assert largest.is_file()


def test_pull_refuses_changed_data_that_is_nowhere_else(put, unchanged, tmp_path):
    remote = remote_for(unchanged, tmp_path / "remote")
    put(RAW, "text\tlabel\nlabelled anew\t0\n")
    says(
        unchanged.attempt("temper", "pull", "--directory", "studies/mine"),
        "data/raw/train.tsv",
        "temper pull -C studies/mine --force",
    )
    assert not remote.exists()
    unchanged.run("git", "checkout", "--quiet", ".dvc/config")


# what runs jobs


def test_dvc_starts_no_stage_while_a_persons_file_is_in_a_folder_that_it_would_remove(put, unchanged):
    put(IN_A_STAGE)
    done = unchanged.attempt(sys.executable, "-m", "dvc", "repro")
    assert done.returncode != 0
    assert f"in a folder that DVC removes before it makes it anew: {IN_A_STAGE}" in done.stderr
    assert "move it out of" in done.stderr


def test_an_experiment_does_not_begin_where_dvc_would_put_back_what_it_knows(put, unchanged):
    put(IN_A_STAGE)
    done = unchanged.attempt("temper", "experiment", "-S", "calibrations.main.samples=8")
    says(done, f"only this folder has: {IN_A_STAGE}", "temper commit", "dvc exp run --temp")
    put(RAW, "labelled anew")
    done = unchanged.attempt("temper", "experiment", "--directory", "studies/mine", "-S", "seed=3")
    says(done, "data/raw/train.tsv", "dvc add data/raw")


def test_dvc_does_not_begin_where_it_knows_nothing_of_what_is_finished(finished, tmp_path):
    """Its checkout removed the decision and every measurement, and all of it was made anew."""
    made = checkout_of(finished, tmp_path / "study")
    before = files(made)
    says(
        made.attempt("temper", "experiment"),
        "was never handed to DVC",
        "temper commit, once",
        "git commit (docs/how-to/",
    )
    repro = made.attempt(sys.executable, "-m", "dvc", "repro")
    assert repro.returncode != 0
    assert "finished and was never handed to DVC (no dvc.lock)" in repro.stderr
    assert files(made) == before
    shutil.rmtree(made.folder)


@pytest.mark.long
def test_dvc_does_not_begin_where_snakemake_alone_has_measured_since(finished, tmp_path):
    """dvc.lock does not match the records."""
    made = checkout_of(finished, tmp_path / "study")
    made.temper_says("commit")
    made.commit()
    assert dvc_jobs(made.temper_says("experiment", "-S", "analysis.latency_margin=0.07")) == ["remeasure", "report"]
    made.temper_says("sync")
    made.set(analysis__latency_margin=0.08)
    made.snakemake()
    before = files(made)
    says(made.attempt("temper", "experiment", "-S", "seed=18"), "only this folder has: artifacts/", "temper commit")
    assert files(made) == before
    shutil.rmtree(made.folder)


def test_an_experiment_that_fails_leaves_params_yaml_as_it_was(repository):
    before = (repository / "params.yaml").read_bytes()
    refused = repository.attempt("temper", "experiment", "-S", "calibrations.main.samples=512")
    says(refused, "is 512, more than the 16 rows", "ask for fewer samples", "DVC was not asked")
    refused = repository.attempt("temper", "experiment", "-S", "calibrations.main.sampels=8")
    says(refused, "no key calibrations.main.sampels", "-S calibrations.main.samples=8, the nearest of its keys")
    failed = repository.attempt("temper", "experiment", "-S", "backends.openvino-cpu.version=9.9.9")
    assert failed.returncode != 0
    assert "the experiment failed: params.yaml is as it was before it" in failed.stdout
    assert failed.stderr.count("happened:") == 1
    assert (repository / "params.yaml").read_bytes() == before
    repository.temper_says("sync")
    assert repository.repro() == []


def test_experiments_of_a_study_that_git_has_not_yet_are_none(unchanged):
    study = unchanged / "studies/new"
    try:
        study.mkdir()
        shutil.copy(unchanged / "params.yaml", study / "params.yaml")
        unchanged.temper_says("track", "--directory", "studies/new")
        unchanged.run("git", "reset", "--quiet")
        for more in ((), ("--all",)):
            done = unchanged.attempt("temper", "experiments", "-C", "studies/new", *more)
            says(done, "this study is not committed yet", "temper commit -C studies/new")
    finally:
        shutil.rmtree(study)
        unchanged.run("git", "reset", "--quiet")


def test_no_tool_starts_a_job_that_would_write_over_an_edit(put, unchanged):
    put(REPORT, (unchanged / REPORT).read_text() + NOTE)
    dvc = unchanged.attempt(sys.executable, "-m", "dvc", "repro")
    assert dvc.returncode != 0
    for output in (
        unchanged.refused("--forcerun", "report"),
        dvc.stderr,
        unchanged.attempt("temper", "job", "report").stderr,
    ):
        assert f"changed since its job wrote it: {REPORT}" in output
        assert "temper sync: moves it to set_aside/" in output


def test_a_job_that_fails_takes_no_file_of_a_person(put, unchanged):
    put("artifacts/report/notes.txt")
    record = unchanged / "artifacts/measurements/ort-int8.json"
    stat, content = record.stat(), record.read_text()
    record.write_text(content.replace('"accuracy": 0.', '"accuracy": 0.9', 1))
    os.utime(record, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # an altered input, that only the job itself notices
    kept = {path: (unchanged / path).read_bytes() for path in files(unchanged) if path.startswith("artifacts/report/")}
    ledger = unchanged / "artifacts/jobs/report.json"
    of_the_job = ledger.read_bytes()
    try:
        assert unchanged.attempt("temper", "job", "report").returncode != 0
        assert (unchanged / "artifacts/report/notes.txt").read_text() == NOTE
    finally:
        record.write_text(content)
        os.utime(record, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        for path, bytes_before in kept.items():
            (unchanged / path).write_bytes(bytes_before)
        ledger.write_bytes(of_the_job)


BUSY = [
    ("pull",),
    ("sync",),
    ("settings",),
    ("job", "report"),
    ("clean", "--yes"),
    ("experiment",),
    ("upgrade", "tensorrt_rtx", "9.9.9"),
]


@pytest.mark.parametrize("command", BUSY, ids=" ".join)
def test_what_changes_files_waits_for_a_run_that_goes_on_in_the_same_folder(unchanged, command):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as run:
        started = Path(f"/proc/{run.pid}/stat").read_text().rpartition(")")[2].split()[19]
        note = unchanged / ".snakemake/temper/running.json"
        host = socket.gethostname()
        note.write_text(
            json.dumps({"pid": run.pid, "host": host, "started": started, "since": "now", "command": "snakemake"})
        )
        done = unchanged.attempt("temper", *command)
        run.kill()
    note.unlink()
    says(done, f"process {run.pid} on {host} works in this folder")


# sync


def test_sync_moves_what_it_cannot_vouch_for_and_leaves_what_is_none_of_its_business(repository):
    written = {
        REPORT: NOTE,  # an edit
        "artifacts/measurements/notes.json": "{}",  # no row asks for it
        "data/raw/.notes.markdown": NOTE,  # named as if tempfile had made it
        "artifacts/onnx/.mine.original": NOTE,
        IN_A_STAGE: NOTE,
        "artifacts/report/.summary.md.abcd1234": "half-written",  # what a killed job leaves
    }
    before = repository.digests()
    for path, text in written.items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_text(text)
    said = repository.temper_says("sync")
    folder = re.search(r"restored from DVC's cache; what was there is in (set_aside/\S+)/", said)[1]
    assert (repository / folder / REPORT).read_text() == NOTE
    assert (repository / folder / "artifacts/measurements/notes.json").read_text() == "{}"
    for path in ("data/raw/.notes.markdown", "artifacts/onnx/.mine.original", IN_A_STAGE):
        assert (repository / path).read_text() == NOTE
        (repository / path).unlink()
    assert repository.digests() == before
    assert repository.repro() == []
    # a measurement whose row was taken out for a while: DVC's cache has it; of one that it has not, the file is kept
    repository.set(**{"candidates__ort-int8": ...})
    assert "no row asks for it: removed (DVC's cache has it)" in repository.temper_says("sync")


# clean


def test_clean_says_what_would_go_and_then_removes_only_what_temper_made(repository):
    notes = ("artifacts/notes.md", IN_A_STAGE, "data/raw/train.tsv", "logs/mine.txt", "logs/mine.log")
    for path in notes:
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_text(NOTE)
    (repository / REPORT).write_text(NOTE)
    before = files(repository)
    says(repository.attempt("temper", "clean"), "would go, 6 measurements among them", "--yes")
    assert files(repository) == before
    said = repository.temper_says("clean", "--yes")
    assert "5 files stay, for no job made them as they are: artifacts/" in said
    left = [path for path in repository.files() if not path.startswith("data/raw/")]
    assert left == sorted([REPORT, "artifacts/notes.md", IN_A_STAGE])
    assert all((repository / path).read_text() == NOTE for path in (REPORT, *notes))
    assert not (repository / ".snakemake").exists()
    assert (repository / "params.yaml").is_file()


# raw, new-study, predict, results


def test_raw_writes_over_nothing_unless_it_is_told_to(fresh, tmp_path):
    outside, target = tmp_path / "outside", fresh / "data/raw/train.tsv"
    outside.mkdir()
    (outside / "one.tsv").write_text("theirs")
    (outside / "two.tsv").write_text("theirs")
    (fresh / "raw.yaml").write_text("data/raw/train.tsv: one.tsv\ndata/raw/test.tsv: two.tsv\n")
    target.parent.mkdir(parents=True)
    target.write_text(NOTE)
    command = ("raw", "--directory", str(fresh.folder), "--from", str(outside))
    says(fresh.temper(*command), "other files are in their place: data/raw/train.tsv", "--force")
    assert target.read_text() == NOTE
    assert not (fresh / "data/raw/test.tsv").exists()
    assert fresh.temper(*command, "--force").returncode == 0
    assert target.read_text() == "theirs"
    assert "there already, with the same bytes" in fresh.temper(*command).stdout


def test_init_leaves_a_folder_of_that_name(put, unchanged):
    put("studies/notes/mine.txt")
    for name in ("notes", "half"):
        done = unchanged.attempt("temper", "init", name, "--model", "none", "--data", "none")
        says(done, f"studies/{name}", "is there already", "choose another name")
    shutil.move(unchanged / "studies/notes", unchanged / "artifacts/notes")
    shutil.move(unchanged / "artifacts/notes", unchanged / "studies/notes")


def test_predict_writes_over_no_file_unless_it_is_told_to(put, unchanged):
    put("labels.tsv")
    says(unchanged.attempt("temper", "predict", "a film", "--output", "labels.tsv"), "it is there already", "--force")


def test_results_leaves_what_a_person_put_beside_the_records(put, unchanged):
    filed = unchanged / "results/a-machine/tiny"
    put("results/a-machine/tiny/notes.md")
    unchanged.temper_says("results", "--machine", "a-machine")
    assert (filed / "notes.md").read_text() == NOTE
    for path in filed.iterdir():
        if path.name != "notes.md":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_every_command_that_a_person_can_type_has_its_row():
    page = (ROOT / "docs/what-commands-remove.md").read_text()
    first_cells = " ".join(re.findall(r"^\| (.+?) \|", page, re.MULTILINE))
    named = set(re.findall(r"`(?:make|temper) ([a-z-]+)`", first_cells))
    commands = {*HELP, *HIDDEN}
    targets = set(re.findall(r"^([a-z]+(?:-[a-z]+)*):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert "clean" in commands & targets
    assert (commands | targets) - named == set()
