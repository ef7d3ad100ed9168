"""Known advisories on what is installed: each locked set is asked of PyPI's index of advisories by pip-audit (make advisories).

    python requirements/audit.py PIP_AUDIT

Exit code 0: all were asked, nothing is known; 1: something is known; 2: the index could not be asked, of all or of some.
pip-audit by itself counts a package that an index does not know as one without advisories: a mirror that has none would look
like good news.
"""

import json
import subprocess
import sys
from pathlib import Path

LOCKED = Path(__file__).parent / "locked"
SETS = ("common", "cpu", "gpu", "test", "build", "uv")
KNOWN, NOT_ASKED = 1, 2


def _refused(happened: str) -> int:
    print(
        f"  asked:    look for advisories on what requirements/locked/ lists\n  happened: {happened}\n"
        "  affected: nothing was installed or changed; nobody has looked\n"
        "  fix:      run it where https://pypi.org/pypi/NAME/VERSION/json can be reached (a mirror of files has no advisories)",
        file=sys.stderr,
    )
    return NOT_ASKED


def audit(pip_audit: str) -> int:
    """Ask for all sets, and say what was found."""
    files = [part for name in SETS for part in ("--requirement", str(LOCKED / f"{name}.txt"))]
    command = [pip_audit, "--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return _refused(f"pip-audit gave no list: {last[:400]}")
    skipped = sorted(each["name"] for each in packages if "skip_reason" in each)
    found = [each for each in packages if each.get("vulns")]
    for each in found:
        for known in each["vulns"]:
            mended = f", mended in {', '.join(known['fix_versions'])}" if known.get("fix_versions") else ""
            print(f"{each['name']} {each['version']}: {known['id']}{mended}")
    asked = len(packages) - len(skipped)
    print(f"{asked} of {len(packages)} packages asked for, {len(found)} with advisories")
    if found:
        return KNOWN
    if skipped or not packages:
        shown = f"{', '.join(skipped[:5])}{' …' if len(skipped) > 5 else ''}"
        return _refused(
            f"the index knows nothing of {len(skipped)} of {len(packages)} packages: {shown or 'none was listed'}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(audit(sys.argv[1]))
