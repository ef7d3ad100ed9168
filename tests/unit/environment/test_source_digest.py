import os
from pathlib import Path

import pytest

from temper.environment import plugins
from temper.environment import source_digest as module
from temper.environment.machine import SOURCE_ROOT
from temper.environment.source_digest import MARK, source_digest, source_files

FILES = {
    "temper/__init__.py": "",
    "temper/entry.py": "import os\nfrom temper.direct import name\n",
    "temper/direct.py": "def name():\n    from temper.package import lazy\n",
    "temper/package/__init__.py": "",
    "temper/package/lazy.py": "import temper.package.deep.end as end\n",
    "temper/package/deep/__init__.py": "",
    "temper/package/deep/end.py": "from temper import entry  # a circle\n",
    "temper/package/unused.py": "",
    "temper/unused.py": "import temper.entry\n",
}
USED = sorted(name for name in FILES if "unused" not in name)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of its own in the place of this one."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(module, "SOURCE_ROOT", tmp_path)
    return tmp_path


def touch(path: Path) -> None:
    stamp = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(stamp, stamp))


def test_files_are_found_through_lazy_imports_packages_and_circles(root):
    assert [path.relative_to(root).as_posix() for path in source_files("temper.entry")] == USED


@pytest.mark.parametrize(
    "text",
    [
        "if True:\n    pass\nelif False:\n    {0}\n",
        "if True:\n    pass\nelse:\n    {0}\n",
        "try:\n    {0}\nfinally:\n    pass\n",
        "try:\n    pass\nexcept OSError:\n    {0}\n",
        "try:\n    pass\nexcept OSError:\n    pass\nelse:\n    {0}\n",
        "try:\n    pass\nfinally:\n    {0}\n",
        "try:\n    pass\nexcept* OSError:\n    {0}\n",
        "for _ in ():\n    pass\nelse:\n    {0}\n",
        "while False:\n    {0}\n",
        "with open(''):\n    {0}\n",
        "match 1:\n    case 1:\n        {0}\n",
        "class A:\n    async def f(self):\n        async with a:\n            {0}\n",
    ],
)
def test_an_import_is_found_wherever_a_statement_may_stand(root, text):
    (root / "temper/entry.py").write_text(text.format("import temper.unused"))
    touch(root / "temper/entry.py")
    assert root / "temper/unused.py" in source_files("temper.entry")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("temper/entry.py", "from . import unused\n"),
        ("temper/entry.py", "from .unused import name\n"),
        ("temper/package/lazy.py", "def f():\n    from ..unused import name\n"),
        ("temper/package/deep/end.py", "from ... import unused\n"),
        ("temper/package/deep/__init__.py", "from ...unused import name\n"),
    ],
)
def test_an_import_with_dots_is_found_as_python_finds_it(root, file, text):
    (root / file).write_text((root / file).read_text() + text)
    touch(root / file)
    assert root / "temper/unused.py" in source_files("temper.entry")
    assert root / "temper/package/unused.py" not in source_files("temper.entry")


@pytest.mark.parametrize("name", USED)
def test_an_edit_in_an_imported_file_changes_the_digest(root, name):
    before = source_digest("temper.entry")
    with open(root / name, "a") as stream:
        stream.write("EDITED = 1\n")
    touch(root / name)
    assert source_digest("temper.entry") != before


@pytest.mark.parametrize("name", ["temper/unused.py", "temper/package/unused.py"])
def test_an_edit_elsewhere_does_not(root, name):
    before = source_digest("temper.entry")
    (root / name).write_text("EDITED = 1\n")
    assert source_digest("temper.entry") == before


def test_what_was_computed_once_is_computed_again_after_an_edit_and_not_before(root, monkeypatch):
    end, unmarked = root / "temper/package/deep/end.py", "EDITED = 1\n"
    end.write_text(f"{MARK} = 'why'\n{unmarked}")
    before = source_digest("temper.entry")
    with monkeypatch.context() as patched:
        patched.setattr(module, "_reached", lambda entries: pytest.fail("it was computed again"))
        assert source_digest("temper.entry") == before
    end.write_text(unmarked)  # a file that was left out counts from now on
    touch(end)
    assert source_digest("temper.entry") != before
    end.unlink()
    assert source_digest("temper.entry") == before


def test_a_touch_does_not(root):
    before = source_digest("temper.entry")
    for name in FILES:
        touch(root / name)
    assert source_digest("temper.entry") == before


def test_a_module_chosen_by_name_and_a_script_are_entries_of_their_own(root):
    script = root / "script.py"
    script.write_text("from temper.direct import name\n")
    assert script in source_files(script)
    assert source_digest(script) != source_digest("temper.direct")
    assert source_digest(script) != source_digest(script, "temper.unused")


@pytest.mark.parametrize("entry", ["temper.absent", Path("absent.py")])
def test_an_entry_that_is_nowhere_is_an_error(root, entry):
    with pytest.raises(FileNotFoundError, match="absent"):
        source_files(entry)


def test_what_measures_does_not_hang_on_what_makes_or_reports():
    package = SOURCE_ROOT / "temper"
    parts = {path.relative_to(package).parts[0] for path in source_files("temper.measurement.measure")}
    assert {"measurement", "data", "artifacts"} <= parts
    assert not parts & {"quantization", "transforms", "report", "study", "export", "training"}


WRITTEN = '''"""A module."""
import math
from dataclasses import dataclass

LIMIT = 1_000
NAMES = {"a": [1, 2.5, 1e-3, 3j, b"x", None, ...]}

@dataclass
class Row:
    """A row."""

    size: int = 3

    def area(self, *, by: float = 2.0) -> float:
        """Its area."""
        return math.pi * self.size**2 if by else 0  # a comment

def said(name: str) -> str:
    return f"{name!r:>{LIMIT}} and {name=}"
'''


def digest_of(root: Path, text: str) -> str:
    (root / "temper/entry.py").write_text(text)
    touch(root / "temper/entry.py")
    module._read.cache_clear()
    return source_digest("temper.entry")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# another"),
        ("# a comment", "# type: ignore"),
        ('"""A module."""', ""),
        ('"""A row."""', '"""A row of two\n\n    lines."""'),
        ('        """Its area."""\n', "\n\n"),
        ("LIMIT = 1_000", "LIMIT = (\n    1000\n)"),
        ('{"a":', "{'a':"),
        ("    size: int = 3\n", '    size: int = 3\n    """Its size, cm."""\n'),
    ],
)
def test_how_code_reads_does_not_count(root, old, new):
    assert old in WRITTEN
    assert digest_of(root, WRITTEN.replace(old, new)) == digest_of(root, WRITTEN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1_000", "1_001"),
        ("2.5", "2"),
        ("None, ...", 'None, "", ...'),
        ("1e-3", "1e-4"),
        ("3j", "3"),
        ('b"x"', '"x"'),
        ("None, ...", "..., None"),
        ("*, by", "by"),
        ("if by else 0", "if not by else 0"),
        ("size**2", "size*2"),
        ("int = 3", "float = 3"),
        ("@dataclass\n", ""),
        ("!r", "!s"),
        ("{name=}", "name"),
        ("import math", "import cmath as math"),
        ('return f"', 'return "'),
        ("    return math", "    math"),
    ],
)
def test_what_code_does_counts(root, old, new):
    assert old in WRITTEN
    assert digest_of(root, WRITTEN.replace(old, new)) != digest_of(root, WRITTEN)


def test_the_digest_is_the_same_in_every_python(root):
    # one that was written down: another version of Python that reads code otherwise would rerun every study
    assert digest_of(root, WRITTEN) == "f968d143908fb507"


def test_a_module_that_changes_no_result_leaves_with_what_only_it_imports(root):
    direct = root / "temper/direct.py"
    direct.write_text(f"{MARK} = 'why'\n{direct.read_text()}")
    touch(direct)
    assert [path.relative_to(root).as_posix() for path in source_files("temper.entry")] == [
        "temper/__init__.py",
        "temper/entry.py",
    ]


def test_the_modules_that_change_no_result_are_these():
    marked = {
        path.relative_to(SOURCE_ROOT / "temper").as_posix()
        for path in SOURCE_ROOT.rglob("*.py")
        if module._module(path).marked
    }
    named = (
        "__init__",
        "errors",
        "environment/missing_module",
        "environment/plugins",
        "reading/typed",
        "logs/progress",
        "artifacts/scratch",
        "logs/script_log",
        "package/runtime/__init__",
        "training/checkpoint_sizes",
        "training/worth",
        "study/params_lines",
        "study/refusal",
        "orchestration/coming",
        "orchestration/run_lock",
        "orchestration/job_record",
        "orchestration/made_files",
        "orchestration/seen",
        "orchestration/together",
    )
    assert marked == {f"{name}.py" for name in named}


def test_no_job_computes_with_a_docstring_or_a_source_text():
    scripts = (SOURCE_ROOT.parent / "workflow/scripts").glob("*.py")
    choices = [
        SOURCE_ROOT / "temper" / plugins.file_of(kind, name)
        for kind in plugins.FUNCTION
        for name in plugins.names(kind)
    ]
    for path in source_files(*scripts, *choices):
        text = path.read_text()
        assert not [word for word in ("__doc__", "getdoc", "getsource", "jit.script") if word in text], path
