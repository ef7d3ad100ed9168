import json
import os
import platform
from pathlib import Path

import pytest

from temper import provenance
from temper.provenance import machine, source_digest, source_files, versions

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
    monkeypatch.setattr(provenance, "SOURCE_ROOT", tmp_path)
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


@pytest.mark.parametrize("name", USED)
def test_an_edit_in_an_imported_file_changes_the_digest(root, name):
    before = source_digest("temper.entry")
    with open(root / name, "a") as stream:
        stream.write("# edited\n")
    touch(root / name)
    assert source_digest("temper.entry") != before


@pytest.mark.parametrize("name", ["temper/unused.py", "temper/package/unused.py"])
def test_an_edit_elsewhere_does_not(root, name):
    before = source_digest("temper.entry")
    (root / name).write_text("# edited\n")
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
    package = provenance.SOURCE_ROOT / "temper"
    parts = {path.relative_to(package).parts[0] for path in source_files("temper.measurement.measure")}
    assert {"measurement", "data", "errors.py"} <= parts
    assert not parts & {"precisions", "calibration", "report", "study.py", "schema.py", "export", "training"}


def test_versions_are_those_installed_and_absent_distributions_are_left_out():
    import numpy

    assert versions("numpy", "no-such-thing") == {"python": platform.python_version(), "numpy": numpy.__version__}


def test_the_machine_is_described_without_its_name():
    facts = machine()
    assert facts["cpu"]
    assert facts["cores_usable"] >= 1
    assert platform.node() not in json.dumps(facts)
