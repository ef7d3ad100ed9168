"""Commands that are killed, or whose disk fills, at moments drawn by seed; and whether the next command puts it right.

A case is one command of one kind on a copy of a finished study. It runs in copies of a process that has imported the libraries
(tests/warm_python.py), so that hundreds of cases take minutes. What is asked of each: the next command ends right, with the bytes
of an undisturbed run; nothing of the user's is lost; no lock and nothing half-written is left.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import psutil

from temper.orchestration.job_record import read_job_record, record_path
from tests.warm_python import WarmPython, warm_python
from tests.workflow.conftest import NEVER_EDITED, PATIENCE_S, StudyFolder
from tests.workflow.repository import BIN, Repository

MARK = "TEMPER_TESTS_CASE"  # in the variables of all that a case starts
NOTES = {
    "artifacts/notes.txt": "written by a person",
    "artifacts/.photo.original": "looks like a leftover, and is none",
    "data/raw/mine.tsv": "text\tlabel\n",
    "notes.md": "what a person thinks",
}
WORDS = re.compile(r"asked: +.+\n\s*happened: +.+\n(?:.*\n)*?\s*affected: +.+\n\s*fix: +.+")
STAGE_KILLED = re.compile(r"failed to run: temper \S+[^\n]*, exited with -9")
TORN = (
    "Unable to read RWLock-file"  # DVC's words, before anything of ours runs; docs/troubleshooting.md says what helps
)
REFUSALS = 3  # that a person follows, one after the other
WAIT_S = 60
LARGE = "1g"

Victim = Literal["all", "main", "job", "worker", "any"]


@dataclass(frozen=True)
class Kind:
    """A kind of command.

    name: of it.
    base: a finished study; it is copied for each case.
    command: the command and its arguments, in the study's folder.
    stale: makes the copy one in which the command has work.
    judged: files of the copy that have to be as in the undisturbed run, by digest.
    wrong: what must not be there, not even before the next command.
    """

    name: str
    base: StudyFolder
    command: Sequence[str]
    stale: Callable[[StudyFolder], None]
    judged: Callable[[StudyFolder], Mapping[str, str]]
    wrong: Callable[[StudyFolder], list[str]] = lambda made: []


@dataclass
class Outcomes:
    """What became of the cases of a kind."""

    found: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def copy_of(base: StudyFolder, folder: Path) -> StudyFolder:
    """A copy in which nothing is adopted: what is stale, really runs; with files of a person."""
    ignore = shutil.ignore_patterns("made-files")
    shutil.copytree(base.folder, folder, symlinks=True, ignore=ignore, dirs_exist_ok=True)
    made = replace(base, folder=folder, code=folder if isinstance(base, Repository) else base.code)
    for path, text in NOTES.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(text)
    return made


def of_job(base: StudyFolder, rule: str, row: str, judged: Callable[[StudyFolder], Mapping[str, str]]) -> Kind:
    """Plain `snakemake` that has to make one job's artifact, which was deleted."""
    record = record_path(rule, row)

    def stale(made: StudyFolder) -> None:
        for path in (*read_job_record(made / record).outputs, record):
            (made / path).unlink()

    return Kind(f"{rule} {row}".strip(), base, ("snakemake", record), stale, judged)


def bins_of(made: StudyFolder) -> WarmPython:
    """Whose copies a case's processes are."""
    return warm_python(made.code / "src" if made.code in NEVER_EDITED else None)


def started(
    made: StudyFolder, command: Sequence[str], mark: str, within: Sequence[str] = ()
) -> "subprocess.Popen[bytes]":
    """Start a command of a case; what it prints goes to terminal.txt beside the folder.

    Args:
        made: the study.
        command: `snakemake`, `temper` or `dvc` with its arguments.
        mark: of the case.
        within: a command that starts it, as `prlimit`.
    """
    name, *arguments = command
    if name == "snakemake":
        arguments = made._options(*arguments)
    code = (made.code / "src").as_posix()
    bins = bins_of(made).bin
    path = os.pathsep.join([str(bins), str(BIN), os.environ["PATH"]])
    variables = {key: value for key, value in os.environ.items() if key != "DVC_STAGE"}
    with open(made.folder.with_name("terminal.txt"), "wb") as terminal:
        return subprocess.Popen(
            [*within, str(bins / name), *arguments],
            cwd=made.folder,
            env={**variables, "PATH": path, "PYTHONPATH": code, "PYTHONDONTWRITEBYTECODE": "1", MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def said(made: StudyFolder) -> str:
    """What the last command of a case printed."""
    return made.folder.with_name("terminal.txt").read_text(errors="replace")


def processes(mark: str) -> list[psutil.Process]:
    """All callers of a case that live, oldest first: the copies they wait for end with them."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, psutil.NoSuchProcess):
            if wanted in (place / "environ").read_bytes().split(b"\0"):
                found.append(psutil.Process(int(place.name)))
    return sorted(found, key=lambda process: process.create_time())


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _is(process: psutil.Process, victim: Victim) -> bool:
    return _called(_line(process), victim)


def _called(line: str, victim: Victim) -> bool:
    if victim == "job":
        return ".snakemake/scripts/" in line and "bash" not in line
    return victim == "worker" and "-m temper." in line and "worker" in line


def used(folder: Path) -> tuple[int, ...]:
    """Bytes and files that are taken on the disk of a folder."""
    disk = os.statvfs(folder)
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize, disk.f_files - disk.f_ffree


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """A disk of 1 GB in memory over a folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={LARGE},nr_inodes=100k", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(folder: Path, *, size: str = LARGE, files: str = "100k") -> None:
    """Make a mounted disk smaller or larger.

    Raises:
        CalledProcessError: it holds more than that, also since it was looked at.
    """
    subprocess.run(
        ["mount", "-o", f"remount,size={size},nr_inodes={files}", str(folder)], check=True, capture_output=True
    )


def works_in(folder: Path) -> list[int]:
    """Processes that stand in a folder, copies among them."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if Path(os.readlink(place / "cwd")).is_relative_to(folder):
                found.append(int(place.name))
    return found


def _until(condition: Callable[[], object], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.03)
    return True


def kill(run: "subprocess.Popen[bytes]", mark: str, victim: Victim, wait_s: float, rng: random.Random) -> str:
    """SIGKILL to what is drawn; who was hit.

    Args:
        run: the command.
        mark: of the case.
        victim: 'all' is a power cut; a job or a worker is waited for.
        wait_s: from the command's beginning, or from that of its first job or worker.
        rng: draws of 'any'.
    """
    one = victim in ("job", "worker")
    there = lambda: run.poll() is not None or [each for each in processes(mark) if _is(each, victim)]  # noqa: E731
    if one and not _until(there, PATIENCE_S):
        return "none: it had none"
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(timeout=wait_s)
        return "none: it had ended"
    if one:
        _until(there, PATIENCE_S)  # between two of them, the next
    if victim == "main":
        os.kill(run.pid, signal.SIGKILL)
        return victim
    if victim == "all":
        while found := processes(mark):
            for each in found:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.send_signal(signal.SIGKILL)
            run.poll()
        return victim
    found = [each for each in processes(mark) if victim == "any" or _is(each, victim)]
    if not found:
        return "none: it had ended"
    with contextlib.suppress(psutil.NoSuchProcess):
        rng.choice(found).send_signal(signal.SIGKILL)
    return victim


def _lost(made: StudyFolder) -> list[str]:
    """What of a person's is gone or changed."""
    return [path for path, text in NOTES.items() if not (made / path).is_file() or (made / path).read_text() != text]


def _named_fix(output: str) -> list[str] | None:
    """The command of `temper` that a refusal names."""
    match = re.search(r"fix:.*?\b(temper (?:sync|verify-remote))\b", output, re.DOTALL)
    return match[1].split() if match else None


def next_command(made: StudyFolder, kind: Kind, mark: str) -> tuple[list[str], str]:
    """The same command again, following what is printed where it is refused: the steps, and the fault or ''."""
    steps = []
    for _ in range(REFUSALS + 1):
        run = started(made, kind.command, f"{mark}-again")
        try:
            code = run.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            for each in processes(f"{mark}-again"):
                each.kill()
            return steps, f"the next command had not ended after {PATIENCE_S} s"
        output = said(made)
        if code == 0:
            return [*steps, "right"], ""
        torn = TORN in output and kind.command[0] == "dvc"
        if "Traceback" in output or not (torn or WORDS.search(output)):
            return steps, f"the next command: {output[-1500:]}"
        steps.append("refused by DVC" if torn else "refused in words")
        fix = ["temper", "sync"] if torn else _named_fix(output)
        if "still works in this folder" in output or "works in this folder since" in output:
            _until(lambda: not works_in(made.folder), WAIT_S)
        elif fix is not None:
            done = started(made, fix, f"{mark}-fix")
            if done.wait(timeout=PATIENCE_S) != 0:
                return steps, f"{' '.join(fix)}: {said(made)[-1500:]}"
            steps.append(" ".join(fix))
        else:
            return steps, f"refused, with no command to follow: {output[-1500:]}"
    return steps, f"refused {REFUSALS + 1} times: {output[-1500:]}"


def _differences(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """What differs; of texts that are no digests also how."""
    differing = sorted(path for path in wanted.keys() | found.keys() if found.get(path) != wanted.get(path))
    texts = {
        path: f"{path}: {found.get(path)!r} instead of {wanted.get(path)!r}"
        for path in ("git", "left", "lock", "report")
    }
    return [texts.get(path, path) for path in differing]


def judged_again(made: StudyFolder, kind: Kind, wanted: Mapping[str, str], mark: str) -> tuple[str, str]:
    """The next command, and all that has to be so after it: how it went, and the fault or ''."""
    if not _until(lambda: not works_in(made.folder), 0.0 if "main" in mark else WAIT_S) and "main" not in mark:
        return "", "processes of a killed run work on"
    if _lost(made):
        return "", f"lost: {_lost(made)}"
    if wrong := kind.wrong(made):
        return "", f"half-written, and called whole: {wrong[:6]}"
    steps, fault = next_command(made, kind, mark)
    if fault:
        return "", fault
    if (differing := _differences(kind.judged(made), wanted)) != []:
        return "", f"other bytes: {differing[:6]}"
    if _lost(made):
        return "", f"lost: {_lost(made)}"
    # a person's own file has such a name, too
    left = [path for path in made.scratch() if not path.endswith((".photo.original", ".gitignore"))]
    left += [str(path) for path in (made / ".snakemake/locks").glob("*.lock")]
    if left:
        return "", f"left: {left}"
    with contextlib.suppress(AssertionError):
        made.planned()
        return "right at once" if steps == ["right"] else f"right after: {', '.join(dict.fromkeys(steps[:-1]))}", ""
    return "", "the plan after it is refused"


@dataclass
class Disturbances:
    """Draws cases of one kind, runs them, and counts.

    kind: of the command.
    folder: for the copies.
    seed: of the draws.
    disk: whether each copy lies on a small disk of its own.
    """

    kind: Kind
    folder: Path
    seed: int
    disk: bool = False

    def __post_init__(self) -> None:
        self.outcomes = Outcomes()
        mark = f"undisturbed-{os.getpid()}"
        lives: dict[Victim, tuple[float, float]] = {}
        with self.copy("undisturbed") as made, self.looked_at(made) as (within, look):
            started(made, ("python", "-c", ""), mark).wait()  # who copies itself has begun
            began, before = time.monotonic(), used(made.folder)
            run = started(made, self.kind.command, mark, within)
            most = before
            while run.poll() is None:
                now = time.monotonic() - began
                assert now < PATIENCE_S, said(made)
                lines = [_line(each) for each in processes(mark)]
                for victim in ("job", "worker"):
                    if any(_called(line, victim) for line in lines):
                        lives[victim] = (lives.get(victim, (now, now))[0], now)
                most = tuple(map(max, most, used(made.folder)))
                look()
                time.sleep(0.05)
            self.needs = (most[0] - before[0], most[1] - before[1])
            self.whole_s = time.monotonic() - began
            self.lives_s = {victim: last - first for victim, (first, last) in lives.items()}
            assert run.returncode == 0, said(made)
            assert not _lost(made), _lost(made)
            self.wanted = dict(self.kind.judged(made))

    @contextlib.contextmanager
    def looked_at(self, made: StudyFolder) -> Iterator[tuple[Sequence[str], Callable[[], None]]]:
        """For the undisturbed run: a command that starts it, and what is looked at again and again while it lasts."""
        yield (), lambda: None

    @contextlib.contextmanager
    def copy(self, name: str) -> Iterator[StudyFolder]:
        place = self.folder / name
        (place / "study").mkdir(parents=True)
        with mounted(place / "study") if self.disk else contextlib.nullcontext():
            made = copy_of(self.kind.base, place / "study")
            self.kind.stale(made)
            yield made
        shutil.rmtree(place)

    def rng(self, what: str, number: int) -> random.Random:
        return random.Random(zlib.crc32(f"{self.seed} {self.kind.name} {what} {number}".encode()))

    def count(self, number: int, drawn: str, outcome: str, fault: str) -> None:
        """Of one case: how it went, and the fault or ''."""
        self.outcomes.found["fault" if fault else outcome] += 1
        print(f"{self.kind.name}, case {number} ({drawn}): {fault or outcome}", flush=True)
        if fault:
            self.outcomes.faults.append(f"{self.kind.name}, case {number} ({drawn}): {fault}")

    def victims(self) -> tuple[Victim, ...]:
        """Who is killed in turn: of a command that starts jobs and workers these, of another anybody of its processes."""
        found: tuple[Victim, ...] = ("all", "main", *self.lives_s)
        return found if len(found) == 4 else (*found, "any")

    def kill_once(self, number: int) -> None:
        """One kill, and what the next command does; sooner where the command had ended by then.

        A moment is drawn within the time in which the victim lives. Kinds begin with different victims, so that a few
        kills of each are fair, too.
        """
        rng, victims = self.rng("kill", number), self.victims()
        first = zlib.crc32(self.kind.name.encode())
        victim, share = victims[(first + number) % len(victims)], rng.random() * 0.95
        for sooner in (1.0, 0.5, 0.25, 0.1):
            wait_s = share * sooner * self.lives_s.get(victim, self.whole_s)
            mark = f"{victim}-{os.getpid()}-{number}-{sooner}"
            with self.copy(str(number)) as made:
                run = started(made, self.kind.command, mark)
                hit = kill(run, mark, victim, wait_s, rng)
                run.wait(timeout=PATIENCE_S)
                if hit.startswith("none"):
                    continue
                output = said(made)
                drawn = f"{victim} after {wait_s:.2f} s"
                # what lives on says why it failed, and takes no kill for a lack of memory
                silent = run.returncode > 0 and not WORDS.search(output)
                # the stage's own process can say nothing of its own kill: DVC, its parent, names it and how it ended
                silent &= not (self.kind.command[0] == "dvc" and STAGE_KILLED.search(output))
                if run.returncode >= 0 and (silent or "Traceback" in output or "memory ran out" in output):
                    return self.count(number, drawn, "", f"it says ({run.returncode}): {output[-1500:]}")
                outcome, fault = judged_again(made, self.kind, self.wanted, mark)
                return self.count(number, drawn, f"{hit} killed, {outcome}", fault)
        return self.count(number, f"{victim} after {wait_s:.2f} s", "ended before it could be killed", "")

    def fill_once(self, number: int) -> None:
        """One disk that is full, or is filled while the command works, and what the next command does when there is room again.

        Of every third disk nothing is left from the beginning on, of the others at a moment that is drawn; of every fourth not
        bytes are lacking but the number of files.
        """
        rng = self.rng("disk", number)
        wait_s, left = rng.random() * 0.9 * self.whole_s * (number % 3 > 0), rng.random() ** 3
        of_files, mark = number % 4 == 3, f"disk-{os.getpid()}-{number}"

        def fill(folder: Path) -> None:
            more = round(left * self.needs[1 if of_files else 0])
            for _ in range(100):  # the command writes on between the two lines
                taken = used(folder)
                with contextlib.suppress(subprocess.CalledProcessError):
                    if of_files:
                        return resize(folder, files=str(taken[1] + more))
                    return resize(folder, size=str(taken[0] + more))
            raise AssertionError("the disk could not be made so small")

        with self.copy(str(number)) as made:
            drawn = f"{left:.3f} of the {'files' if of_files else 'bytes'} it needs, after {wait_s:.2f} s"
            if wait_s == 0:
                fill(made.folder)
            run = started(made, self.kind.command, mark)
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    run.wait(timeout=wait_s)
                if run.poll() is None and wait_s > 0:
                    fill(made.folder)
                code = run.wait(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                for each in processes(mark):
                    each.kill()
                return self.count(number, drawn, "", f"it had not ended after {PATIENCE_S} s")
            output = said(made)
            if code != 0 and ("Traceback" in output or not WORDS.search(output) or "No space left" not in output):
                return self.count(number, drawn, "", f"it says: {output[-1500:]}")
            if code == 0 and _differences(self.kind.judged(made), self.wanted):
                return self.count(number, drawn, "", "it ended as if all were well, with other bytes")
            resize(made.folder)
            outcome, fault = judged_again(made, self.kind, self.wanted, mark)
        how = "ended right all the same" if code == 0 else "refused in words"
        return self.count(number, drawn, f"full, {how}, {outcome}", fault)
