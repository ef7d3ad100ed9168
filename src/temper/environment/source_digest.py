"""Digest of the code behind a result: what it does counts, how it reads does not (docs/decisions/0004 and 0045)."""

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from temper.environment.known_code import known_code
from temper.environment.machine import SOURCE_ROOT

PACKAGE = "temper"
# A module that begins with this assignment leaves the digest, with what only it imports: nothing that it computes can reach a
# job's outputs. Its value says why.
MARK = "CHANGES_NO_RESULT"
_NOT_CODE = ("ctx", "kind", "type_comment", "type_ignores")  # follow from the rest, or are comments


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


def _says_nothing(node: Any, parent: ast.AST) -> bool:
    """A constant that stands alone, or an empty piece of an f-string (Python 3.12 has one after a nested format)."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(parent, ast.JoinedStr) and isinstance(node, ast.Constant) and node.value == ""


def _write_meaning(node: ast.AST, parts: list[str]) -> None:
    """Append what a syntax tree does to `parts`, in the same words in every version of Python.

    Comments, line breaks and brackets are no part of a tree; docstrings and other constants that stand alone are left out
    here, and so are empty fields, which newer versions add. (`ast.dump` differs between versions.)
    """
    parts.append(type(node).__name__)
    for name, value in ast.iter_fields(node):
        if value is None or name in _NOT_CODE:
            continue
        if isinstance(value, ast.AST):
            parts.append(name)
            _write_meaning(value, parts)
        elif isinstance(value, list):
            kept = [each for each in value if not _says_nothing(each, node)]
            if kept:
                parts.append(f"{name}[{len(kept)}")
            for each in kept:
                if isinstance(each, ast.AST):
                    _write_meaning(each, parts)
                else:
                    parts.append(repr(each))
        else:
            parts.append(f"{name}={value!r}")
    parts.append(".")


@dataclass(frozen=True)
class _Module:
    imports: frozenset[str]  # modules of this package, imported anywhere in it (functions too)
    digest: str  # of what its code does
    marked: bool
    mtime_ns: int  # of its file when it was read


def _is_mark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == MARK for target in node.targets
    )


@cache
def _read(file: Path, mtime_ns: int) -> _Module:
    content = file.read_bytes()
    known, key = known_code(Path(__file__)), hashlib.sha256(content).hexdigest()
    if (before := known.get(key)) is not None:
        imports, digest, marked = before
        return _Module(_absolute(imports, file), digest, marked, mtime_ns)
    imports, digest, marked = _parse(content, str(file))
    known.add(key, [sorted(imports), digest, marked])
    return _Module(_absolute(imports, file), digest, marked, mtime_ns)


def _absolute(imports: Iterable[str], file: Path) -> frozenset[str]:
    """Imports with their whole names: one that begins with dots is found from the file's folder, as Python finds it."""
    found = set()
    for name in imports:
        rest = name.lstrip(".")
        if rest != name:
            folder = file.parents[len(name) - len(rest) - 1]
            name = ".".join([*folder.relative_to(SOURCE_ROOT).parts, *filter(None, [rest])])
        found.add(name)
    return frozenset(found)


def _parse(content: bytes, name: str) -> tuple[Iterable[str], str, bool]:
    """Imports as they are written, digest, and whether it bears the mark."""
    tree = ast.parse(content.decode("utf-8"), filename=name)
    found: set[str] = set()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module, dot = "." * node.level + (node.module or ""), "." if node.module else ""
            names = [module, *(f"{module}{dot}{alias.name}" for alias in node.names)]
        else:
            continue
        found.update(name for name in names if name.startswith(".") or name.split(".")[0] == PACKAGE)
    parts: list[str] = []
    _write_meaning(tree, parts)
    digest = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return found, digest, any(map(_is_mark, tree.body))


def _module(file: Path) -> _Module:
    return _read(file, file.stat().st_mtime_ns)


def source_files(*entries: str | Path) -> list[Path]:
    """All files whose code may reach the outputs of the entries: themselves and every module of this package they import,
    directly or not, but for those that bear the mark.

    The graph is read from the source text, so nothing is imported and no list is kept by hand. A module that is
    chosen by name at run time (a backend, a precision) is an entry of its own.

    Args:
        entries: dotted names of modules of this package, or paths of scripts.

    Raises:
        FileNotFoundError: an entry names no file.
    """
    return sorted(file for file, module in _reached(entries).items() if not module.marked)


def _reached(entries: Iterable[str | Path]) -> dict[Path, _Module]:
    """The same with the files that bear the mark, beyond which nothing is looked for."""
    files: dict[Path, _Module] = {}
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
        module = files[file] = _module(file)
        if module.marked:
            continue
        for name in module.imports:
            # importing a.b.c runs a/__init__ and a/b/__init__ too
            while name and name not in seen:
                seen.add(name)
                imported = _module_file(name)
                if imported is not None:
                    queue.append(imported)
                name = name.rpartition(".")[0]
    return files


# by entries: the files that a digest was made of, as they were then, and the digest; a plan asks for a few hundreds of times
_made: dict[tuple[Path, tuple[str | Path, ...]], tuple[dict[str, int], str]] = {}


def _unchanged(files: Mapping[str, int]) -> bool:
    try:
        return all(os.stat(file).st_mtime_ns == mtime_ns for file, mtime_ns in files.items())
    except OSError:
        return False


def source_digest(*entries: str | Path) -> str:
    """SHA-256 over names and code of `source_files(*entries)`: equal code gives an equal digest, whatever the mtimes.

    Comments, docstrings and layout are no code; the version of Python that reads it makes no difference.
    """
    before = _made.get((SOURCE_ROOT, entries))
    if before is not None and _unchanged(before[0]):
        return before[1]
    reached = _reached(entries)
    files = {str(file): module.mtime_ns for file, module in reached.items()}
    named = {
        file.relative_to(SOURCE_ROOT).as_posix() if file.is_relative_to(SOURCE_ROOT) else file.name: module
        for file, module in reached.items()
        if not module.marked
    }
    whole = hashlib.sha256()
    for name, module in sorted(named.items()):
        whole.update(f"{name}\0{module.digest}\n".encode())
    known_code(Path(__file__)).save()
    digest = whole.hexdigest()[:16]
    _made[SOURCE_ROOT, entries] = files, digest
    return digest
