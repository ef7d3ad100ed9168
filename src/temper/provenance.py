"""Where a result came from: digest of the code behind it, versions, machine."""

import ast
import hashlib
import os
import platform
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

SOURCE_ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "temper"
_PROVIDERS = {"onnxruntime": ("onnxruntime-gpu",)}  # the same module from another distribution


def _module_file(module: str) -> Path | None:
    """File of a module of this package, or None where the name is no module (a class, a function)."""
    base = os.path.join(SOURCE_ROOT, *module.split("."))  # no Path: a plan asks this ten thousand times
    for candidate in (f"{base}.py", f"{base}/__init__.py"):
        if os.path.isfile(candidate):
            return Path(candidate)
    return None


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Every statement of a module, those inside functions and branches too; its expressions are not walked."""
    queue: list[ast.AST] = [tree]
    while queue:
        node = queue.pop()
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            queue.extend(getattr(node, part, ()))


@cache
def _imports_of(file: Path, mtime_ns: int) -> tuple[frozenset[str], str]:
    """Modules of this package that a file imports anywhere in it (functions too), and the digest of its text."""
    text = file.read_text(encoding="utf-8")
    found: set[str] = set()
    for node in _statements(ast.parse(text, filename=str(file))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        found.update(name for name in names if name.split(".")[0] == PACKAGE)
    return frozenset(found), hashlib.sha256(text.encode()).hexdigest()


def source_files(*entries: str | Path) -> list[Path]:
    """All files that the entries run: themselves and every module of this package they import, directly or not.

    The graph is read from the source text, so nothing is imported and no list is kept by hand. A module that is
    chosen by name at run time (a backend, a precision) is an entry of its own.

    Args:
        entries: dotted names of modules of this package, or paths of scripts.

    Raises:
        FileNotFoundError: an entry names no file.
    """
    files: set[Path] = set()
    queue: list[Path] = []
    for entry in entries:
        file = entry if isinstance(entry, Path) else _module_file(entry)
        if file is None or not file.is_file():
            raise FileNotFoundError(f"{entry} is neither a module of {PACKAGE} nor a script")
        queue.append(file)
    seen: set[str] = set()
    while queue:
        file = queue.pop()
        if file in files:
            continue
        files.add(file)
        for name in _imports_of(file, file.stat().st_mtime_ns)[0]:
            # importing a.b.c runs a/__init__ and a/b/__init__ too
            while name and name not in seen:
                seen.add(name)
                imported = _module_file(name)
                if imported is not None:
                    queue.append(imported)
                name = name.rpartition(".")[0]
    return sorted(files)


def source_digest(*entries: str | Path) -> str:
    """SHA-256 over names and texts of `source_files(*entries)`: equal text gives an equal digest, whatever the mtimes."""
    texts = {
        file.relative_to(SOURCE_ROOT).as_posix() if file.is_relative_to(SOURCE_ROOT) else file.name: file
        for file in source_files(*entries)
    }
    whole = hashlib.sha256()
    for name, file in sorted(texts.items()):
        whole.update(f"{name}\0{_imports_of(file, file.stat().st_mtime_ns)[1]}\n".encode())
    return whole.hexdigest()[:16]


def versions(*distributions: str) -> dict[str, str]:
    """Installed version of each distribution, by name; those that are absent are left out."""
    found = {"python": platform.python_version()}
    for name in distributions:
        for provider in (name, *_PROVIDERS.get(name, ())):
            try:
                found[name] = metadata.version(provider)
                break
            except metadata.PackageNotFoundError:
                continue
    return found


def distribution_versions(*distributions: str) -> dict[str, str]:
    """Installed version of each distribution, by name; 'not installed' for those that are absent."""
    found = versions(*distributions)
    return {name: found.get(name, "not installed") for name in distributions}


# glibc raises its threshold for mapped memory when a large block is freed, up to 32 MiB: a process that has read a small file
# answers faster from then on than one that has read a large one. Fixed values switch that off, for every process alike.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}


def measuring_machine() -> dict[str, Any]:
    """What of this machine makes a latency another one: its processor and how many cores may be used."""
    found = machine()
    return {key: found[key] for key in ("cpu", "architecture", "cores_usable", "system")}


def machine() -> dict[str, Any]:
    """This machine, as far as it bears on a measurement; no host name, no paths."""
    model = ""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        model = platform.processor()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": model or platform.machine(),
        "architecture": platform.machine(),
        "cores_usable": usable,
        "system": platform.system(),
        "python": platform.python_version(),
    }
