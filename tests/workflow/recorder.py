"""Records every look-up of a name and every connection that a command and all it starts ask for.

Two ways at once. A hook in every Python process (`sys.addaudithook`, by a sitecustomize on the path) sees what Python code asks.
Where `strace` is there and may be used, it sees what any code asks, compiled libraries included: each `connect` to an address of
the internet, which a look-up is too (a name server's port 53). Sockets within the machine are left out.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HOOK = """
import os, sys

def _note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        said = repr(arguments[1:] if event in ("socket.connect", "socket.sendto") else arguments)
        handle = os.open(os.environ["TEMPER_RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(handle, f"{event} {said}\\n".encode())
        os.close(handle)

sys.addaudithook(_note)
"""
_WITHIN = re.compile(r"127\.0\.0\.\d+|::1|localhost|None|sun_path|'/|b'/")
_CONNECT = re.compile(
    r"connect\(.*sa_family=(AF_INET6?), .*?inet_(?:addr|pton)\((?:AF_INET6?, )?\"(?P<address>[^\"]+)\""
)


class Recorder:
    """Runs commands and tells what they asked of a network.

    Attributes:
        sees_compiled_code: whether `strace` is used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "hook").mkdir(parents=True)
        (folder / "hook/sitecustomize.py").write_text(HOOK)
        probe = ["strace", "-qq", "-o", "/dev/null", "true"]
        self.sees_compiled_code = shutil.which("strace") is not None and not subprocess.run(probe).returncode

    def environment(self, source: Path) -> dict[str, str]:
        """Of the commands: nobody's home, and none of the variables that a build machine has."""
        left_out = ("CI", "TF_BUILD", "JENKINS_URL", "HF_HUB_OFFLINE")
        found = {name: value for name, value in os.environ.items() if name not in left_out}
        (self._folder / "home").mkdir(exist_ok=True)
        return {
            **found,
            "HOME": str(self._folder / "home"),
            "PYTHONPATH": os.pathsep.join([str(self._folder / "hook"), str(source), os.environ.get("PYTHONPATH", "")]),
            "TEMPER_RECORD": str(self._folder / "asked.txt"),
        }

    def run(
        self, *command: str, source: Path, cwd: Path, patience_s: float
    ) -> "tuple[subprocess.CompletedProcess[str], list[str]]":
        """Run a `python -m` command; what it printed, and what it asked for."""
        done = subprocess.run(
            self._recorded(command),
            cwd=cwd,
            env=self.environment(source),
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
        )
        return done, self.asked()

    def start(self, *command: str, source: Path, cwd: Path) -> "subprocess.Popen[str]":
        """Start a `python -m` command that goes on until it is ended; `asked` tells then what it asked for."""
        return subprocess.Popen(
            self._recorded(command),
            cwd=cwd,
            env=self.environment(source),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _recorded(self, command: Sequence[str]) -> list[str]:
        traced = self._folder / "strace.txt"
        for file in (traced, self._folder / "asked.txt"):
            file.unlink(missing_ok=True)
        strace = ["strace", "-f", "-qq", "-e", "trace=connect", "-o", str(traced)] if self.sees_compiled_code else []
        return [*strace, sys.executable, "-m", *command]

    def asked(self) -> list[str]:
        """What the last command asked of a network."""
        notes, traced = self._folder / "asked.txt", self._folder / "strace.txt"
        python = notes.read_text().splitlines() if notes.exists() else []
        lines = traced.read_text(errors="replace").splitlines() if traced.exists() else []
        compiled = [f"connect {match['address']}" for line in lines if (match := _CONNECT.search(line))]
        return [line for line in (*python, *compiled) if not _WITHIN.search(line)]

    def written_at_home(self) -> list[str]:
        """Files that the commands left in the home folder, as a device's number would be."""
        home = self._folder / "home"
        return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
