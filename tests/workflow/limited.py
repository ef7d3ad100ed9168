"""Commands that get too little memory: a limit on each process's address space, or on all of them together (a group of control).

What is asked of each beside what is asked after a kill: it ends right all the same, or says in four parts that memory ran out, or
records so where it measures; or the system's memory killer takes the main process itself.
"""

import contextlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from temper.measurement.record_file import read_record
from tests.workflow.conftest import PATIENCE_S, StudyFolder
from tests.workflow.disturbed import (
    WORDS,
    Disturbances,
    _differences,
    bins_of,
    judged_again,
    processes,
    said,
    started,
    works_in,
)

GROUPS = Path("/sys/fs/cgroup/memory")  # version 1
OF_MEMORY = re.compile(r"happened: .*(?:memory ran out|limit of [\d,]+ MiB is set on each process's memory)")
JOIN = 'echo $$ > "$0" && exec "$@"'


@dataclass(frozen=True)
class Group:
    """A group of control with a limit of memory."""

    folder: Path

    def within(self) -> list[str]:
        return ["sh", "-c", JOIN, str(self.folder / "cgroup.procs")]

    def limit(self, size: int) -> None:
        (self.folder / "memory.limit_in_bytes").write_text(str(size))

    @property
    def most(self) -> int:
        return int((self.folder / "memory.max_usage_in_bytes").read_text())


@contextlib.contextmanager
def group(name: str) -> Iterator[Group]:
    """A new group of control.

    Raises:
        OSError: there is none to be had here.
    """
    made = Group(GROUPS / f"temper-{os.getpid()}-{name}")
    made.folder.mkdir()
    try:
        yield made
    finally:
        for pid in (made.folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(int(pid)).kill()
        with contextlib.suppress(OSError):
            made.folder.rmdir()


def _peak(made: StudyFolder) -> int:
    """The largest address space that one of the processes in a study has had, in bytes."""
    found = [0]
    for pid in works_in(made.folder):
        with contextlib.suppress(OSError):
            found += [
                int(kib) * 1024
                for kib in re.findall(r"^VmPeak:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)
            ]
    return max(found)


@dataclass
class Shortages(Disturbances):
    """Draws limits of memory of one kind of command, runs it within them, and counts."""

    @contextlib.contextmanager
    def looked_at(self, made: StudyFolder) -> Iterator[tuple[Sequence[str], Callable[[], None]]]:
        self.peak, self.begins, self.most = 0, 0, 0

        def look() -> None:
            self.peak = max(self.peak, _peak(made))

        with group("undisturbed") as all_of_it:
            yield all_of_it.within(), look
            self.most, server = all_of_it.most, bins_of(made)._server
        assert server is not None
        self.begins = psutil.Process(server.pid).memory_info().vms

    def _noted(self, made: StudyFolder) -> str:
        """What a record says, where the command measures, of memory that ran out; '' where it says nothing of it."""
        target = self.kind.command[-1]
        if not target.startswith("artifacts/jobs/measure/"):
            return ""
        if not (made / target).is_file():
            return ""
        text = str(read_record(made / target.replace("/jobs/measure/", "/measurements/")))
        return "out of memory" if "out of memory: " in text else ""

    def limit_once(self, number: int) -> None:
        """One limit that is drawn between what a process begins with and what the command takes, and what follows."""
        rng, mark = self.rng("memory", number), f"memory-{os.getpid()}-{number}"
        share, of_group = 0.02 + 0.93 * rng.random(), number % 2 == 1
        with self.copy(str(number)) as made, contextlib.ExitStack() as opened:
            if of_group:
                all_of_it = opened.enter_context(group(str(number)))
                size = round(share * self.most)
                all_of_it.limit(size)
                within: Sequence[str] = all_of_it.within()
            else:
                size = round(self.begins + share * (self.peak - self.begins))
                within = ["prlimit", f"--as={size}"]
            drawn = f"{size // 2**20:,} MiB for {'all' if of_group else 'each'}, {share:.2f} of what it takes"
            run = started(made, self.kind.command, mark, within)
            try:
                code = run.wait(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                for each in processes(mark):
                    each.kill()
                return self.count(number, drawn, "", f"it had not ended after {PATIENCE_S} s")
            output, how, command = said(made), "said so", self.kind.command
            again = ("snakemake", "--forcerun", command[-1], "--", command[-1])
            if code == 0:
                how = "ended right all the same"
                if noted := self._noted(made):
                    how, command = f"recorded as '{noted}'", again
                elif differing := _differences(self.kind.judged(made), self.wanted):
                    return self.count(
                        number, drawn, "", f"it ended as if all were well, with other bytes: {differing[:6]}"
                    )
            elif code < 0:
                how = "the main process was killed"
                if noted := self._noted(made):  # a worker before it: its record stands, as after a run that goes on
                    how, command = f"{how} after it was recorded as '{noted}'", again
            elif "Traceback" in output or not WORDS.search(output) or not OF_MEMORY.search(output):
                return self.count(number, drawn, "", f"it says ({code}): {output[-2500:]}")
            kind = (
                self.kind
                if command == self.kind.command
                else type(self.kind)(**{**vars(self.kind), "command": command})
            )
            outcome, fault = judged_again(made, kind, self.wanted, mark)
        self.count(number, drawn, f"{'all' if of_group else 'each'}: {how}, {outcome}", fault)
