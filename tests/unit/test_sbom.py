"""requirements/sbom.py and audit.py: the list is the lock, and an index without advisories is no good news."""

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"requirements/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SBOM = script("sbom")


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    return json.loads((ROOT / "requirements/locked/sbom.json").read_text())


def test_the_list_is_exactly_the_lock(content):
    lines = "".join((ROOT / f"requirements/locked/{name}.txt").read_text() for name in SBOM.SETS)
    wanted = set(re.findall(r"^(\S+==[^\s;]+)", lines, re.MULTILINE))
    wanted |= {line for line in (ROOT / "requirements/cpu.txt").read_text().split() if line.startswith("torch==")}
    found = [each["bom-ref"] for each in content["components"]]
    assert sorted(found) == sorted(wanted)
    assert {file.stem for file in (ROOT / "requirements/locked").glob("*.txt")} == set(SBOM.SETS)


def test_each_package_has_a_licence_and_names_the_sets_that_want_it(content):
    for each in content["components"]:
        sets = {own["value"] for own in each["properties"]}
        assert sets <= set(SBOM.SETS), each
        assert sets, each
        assert each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}"
        assert each["licenses"][0]["license"]["name"], each
    unsaid = [name for name, said in SBOM.licences_in(content).items() if said == SBOM.NOT_SAID]
    assert len(unsaid) < len(content["components"]) / 20, unsaid


def test_what_is_written_again_is_what_is_there(content):
    """What is installed here says what the list says; the rest is kept. Where nobody had it before, it may be found now."""
    before = SBOM.licences_in(content)
    again = SBOM.sbom(SBOM.locked().items(), before)
    found = SBOM.licences_in(again)
    assert {name: said for name, said in found.items() if before[name] != SBOM.NOT_SAID} == {
        name: said for name, said in before.items() if said != SBOM.NOT_SAID
    }
    assert [each["bom-ref"] for each in again["components"]] == [each["bom-ref"] for each in content["components"]]
    assert SBOM.page(content) == (ROOT / "docs/licences.md").read_text()


def test_another_version_than_the_locks_says_nothing(tmp_path, monkeypatch):
    info = tmp_path / "ours-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: ours\nVersion: 2.0\nLicense: " + "long " * 40 + "\n"
        "Classifier: License :: OSI Approved :: MIT License\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert SBOM.licence("ours", "2.0") == "MIT License"
    assert SBOM.licence("ours", "2.1") is None
    assert SBOM.licence("of-nobody", "1.0") is None


def pip_audit(folder: Path, said: str, code: int = 0) -> str:
    file = folder / "pip-audit"
    file.write_text(f"#!{sys.executable}\nprint({said!r}, end='')\nraise SystemExit({code})\n")
    file.chmod(0o755)
    return str(file)


KNOWN = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
FREE, SKIPPED = {"name": "b", "version": "1", "vulns": []}, {"name": "c", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([FREE], 0, "1 of 1 packages asked for, 0 with advisories"),
        ([KNOWN, FREE], 1, "a 1: PYSEC-1, mended in 2"),
        ([KNOWN, SKIPPED], 1, "1 of 2 packages asked for, 1 with advisories"),
        ([FREE, SKIPPED], 2, "the index knows nothing of 1 of 2 packages: c"),
        ([SKIPPED], 2, "affected: nothing was installed or changed; nobody has looked"),
        ([], 2, "none was listed"),
        (None, 2, "pip-audit gave no list"),
    ],
)
def test_an_index_that_was_not_asked_is_no_index_without_advisories(tmp_path, capsys, packages, code, words):
    said = "ConnectionError" if packages is None else json.dumps({"dependencies": packages})
    assert script("audit").audit(pip_audit(tmp_path, said)) == code
    shown = capsys.readouterr()
    assert words in shown.out + shown.err
