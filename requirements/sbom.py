"""What is installed, as a CycloneDX file: requirements/locked/sbom.json, of every package of the lock with version and licence.

    python requirements/sbom.py          writes it anew (make sbom), and docs/licences.md, a table of the same

A licence is what the package itself says (License-Expression, else License, classifiers, the title of its licence file), read
where it is installed in this environment; of a package that is not (another system's, the GPU set's) it is what the file said
before. The SHA-256 of each file stand beside it, in the lock. Only the standard library is needed.
"""

import json
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

LOCKED = Path(__file__).parent / "locked"
SBOM = LOCKED / "sbom.json"
PAGE = LOCKED.parents[1] / "docs/licences.md"
ALONE = re.compile(r"^torch==(\S+)", re.MULTILINE)  # of the CPU set, which the lock leaves to the index
_LINE = re.compile(r"^([A-Za-z0-9._-]+)==([^ \\;\n]+)", re.MULTILINE)
_LONGEST = 60  # letters: some packages give the whole text
NOT_SAID = "not said"
HEAD = """Temper is under Apache-2.0 and brings no code of others along: `make setup` installs the packages below from your
index, each by its SHA-256. They are all of requirements/locked/, also what only some systems install;
requirements/locked/sbom.json is the same list in CycloneDX 1.6, with versions and the sets that want each. `make sbom` writes
both; a test holds them against the lock. 'not said': the metadata of the package names none, or nobody who wrote the list had it.
What `temper package` writes holds Temper's own runtime, your model and a list of requirements, and none of these packages."""
SETS = ("common", "cpu", "gpu", "test", "build", "uv")


def locked(folder: Path = LOCKED) -> dict[tuple[str, str], list[str]]:
    """The sets that install a package, by its name and version."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in SETS:
        for package, version in _LINE.findall((folder / f"{name}.txt").read_text(encoding="utf-8")):
            found.setdefault((package, version), []).append(name)
    torch = ALONE.search((folder.parent / "cpu.txt").read_text(encoding="utf-8"))
    if torch is not None:
        found.setdefault(("torch", torch[1]), []).append("cpu")
    return found


def _said(meta: Any) -> str:
    """The licence that a package's metadata names, in a line."""
    named = (meta.get("License-Expression") or meta.get("License") or "").strip()
    if named and "\n" not in named and len(named) <= _LONGEST:
        return str(named)
    classifiers = [
        each.rpartition(" :: ")[2] for each in meta.get_all("Classifier", []) if each.startswith("License ::")
    ]
    return " or ".join(classifiers) or (" ".join(named.split())[:_LONGEST] if named else NOT_SAID)


def _headed(found: metadata.Distribution) -> str:
    """The first line of a package's licence file, where it is a title."""
    for file in found.files or []:
        if file.name.upper().startswith("LICEN"):
            lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
            if lines and len(lines[0]) <= _LONGEST and "licen" in lines[0].lower():
                return lines[0]
    return NOT_SAID


def licence(package: str, version: str) -> str | None:
    """What the installed package says of its licence; None where this version is not installed."""
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None
    if found.version.partition("+")[0] != version.partition("+")[0]:  # 2.13.0+cpu is a build of 2.13.0
        return None
    said = _said(found.metadata)
    return said if said != NOT_SAID else _headed(found)


def licences_in(content: dict[str, Any]) -> dict[str, str]:
    """Licence of each package of a file."""
    return {each["name"]: each["licenses"][0]["license"]["name"] for each in content["components"]}


def sbom(packages: Iterable[tuple[tuple[str, str], list[str]]], before: dict[str, str]) -> dict[str, Any]:
    """The file's content. Equal for equal locks: no time of day, no number of its own.

    Args:
        packages: as `locked` gives them.
        before: licence by package, of what is not installed here.
    """
    components = [
        {
            "type": "library",
            "bom-ref": f"{package}=={version}",
            "name": package,
            "version": version,
            "purl": f"pkg:pypi/{package}@{version}",
            "licenses": [{"license": {"name": licence(package, version) or before.get(package, NOT_SAID)}}],
            "properties": [{"name": "temper:set", "value": name} for name in sets],
        }
        for (package, version), sets in sorted(packages)
    ]
    own = {
        "type": "application",
        "bom-ref": "temper",
        "name": "temper",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
    }


def page(content: dict[str, Any]) -> str:
    """The table of licences: what stands under which, as the packages say it."""
    by_licence: dict[str, list[str]] = {}
    for package, said in licences_in(content).items():
        by_licence.setdefault(said, []).append(package)
    rows = sorted(by_licence.items(), key=lambda row: (-len(row[1]), row[0].lower()))
    table = "\n".join(f"| {said.replace('|', 'or')} | {len(names)} | {', '.join(names)} |" for said, names in rows)
    return (
        f"# Licences of what is installed\n\n{HEAD}\n\n| licence, as the package says it | packages | which |\n"
        f"| --- | --: | --- |\n{table}\n"
    )


def main() -> int:
    before = licences_in(json.loads(SBOM.read_text(encoding="utf-8"))) if SBOM.is_file() else {}
    content = sbom(locked().items(), before)
    SBOM.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(content), encoding="utf-8")
    unsaid = sorted(name for name, said in licences_in(content).items() if said == NOT_SAID)
    print(f"{SBOM.relative_to(LOCKED.parent.parent)}: {len(content['components'])} packages")
    if unsaid:
        print(f"without a licence that their metadata names: {', '.join(unsaid)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
