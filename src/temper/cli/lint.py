"""`temper lint`: `snakemake --lint`, without what does not apply."""

import re
import subprocess
import sys

from temper.environment.own_process import environment, python_command

EXAMPLES = ("temper lint",)
NOT_OURS = "Specify a conda environment or container for each rule."
# Snakemake 9.27.1 takes `--lint json` and prints text all the same
_LINTS = re.compile(r"^Lints for (?P<place>.+):\n(?P<findings>(?:    .*\n)+)", re.MULTILINE)
_FINDING = re.compile(r"^    \* (?P<title>.+):\n(?P<body>(?:      .*\n)*)", re.MULTILINE)


def lint() -> int:
    """`snakemake --lint` without its one finding that does not apply: the environment is a pinned requirement set."""
    done = subprocess.run(
        python_command("-m", "snakemake", "--lint"), capture_output=True, text=True, check=False, env=environment()
    )
    output = f"{done.stdout}\n{done.stderr}\n"
    findings = [
        (lints["place"], finding)
        for lints in _LINTS.finditer(output)
        for finding in _FINDING.finditer(lints["findings"])
    ]
    if bool(findings) != bool(done.returncode):  # it failed at something else, or its text has another form
        print(output.strip(), file=sys.stderr)
        return 1
    kept = [(place, finding) for place, finding in findings if finding["title"] != NOT_OURS]
    for place, finding in kept:
        print(f"{place}: {finding['title']}: {' '.join(finding['body'].split())}")
    print(f"snakemake --lint: {len(kept)} findings ({len(findings) - len(kept)} left out: {NOT_OURS.rstrip('.')})")
    return 1 if kept else 0
