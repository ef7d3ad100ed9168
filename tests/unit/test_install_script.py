"""requirements/install.sh, with installers that note what they are asked: the real ones take a minute and a network."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAKE_PIP = """#!/bin/sh
echo "pip $*" >> "$ASKED"
case "$PIP_FAILS_AT $*" in
    none*) ;;
    *"$PIP_FAILS_AT"*"$PIP_FAILS_AT"*) echo "pip cannot: $PIP_FAILS_AT"; exit 1 ;;
esac
case "$*" in *--target*)
    mkdir -p "$(dirname "$0")/../uv/bin"
    printf '#!/bin/sh\\necho "uv $*" >> "$ASKED"\\nexit $UV_CODE\\n' > "$(dirname "$0")/../uv/bin/uv"
    chmod +x "$(dirname "$0")/../uv/bin/uv" ;;
esac
"""
UV, CHECKED = (
    "uv pip install --quiet --python BIN/python --no-build-isolation",
    "--no-deps --require-hashes --requirement",
)
PIP = "install --no-compile --no-build-isolation"
PYTHON = '#!/bin/sh\necho "$(dirname "$0")"\n'


@pytest.fixture
def install(tmp_path):
    """Runs the script on a set; gives exit code, what a person sees, and what the installers were asked for."""
    bin_folder = tmp_path / "venv/bin"
    bin_folder.mkdir(parents=True)
    for name, text in (("pip", FAKE_PIP), ("python", PYTHON)):
        (bin_folder / name).write_text(text)
        (bin_folder / name).chmod(0o755)

    def run(requirements, *, uv_code=0, pip_fails_at="none"):
        (tmp_path / "asked").write_text("")
        done = subprocess.run(
            ["sh", "requirements/install.sh", bin_folder, requirements],
            cwd=ROOT,
            env={
                "PATH": "/usr/bin:/bin",
                "ASKED": str(tmp_path / "asked"),
                "UV_CODE": str(uv_code),
                "PIP_FAILS_AT": pip_fails_at,
            },
            capture_output=True,
            text=True,
        )
        asked = [line for line in (tmp_path / "asked").read_text().splitlines() if " config " not in line]
        return done.returncode, done.stdout + done.stderr, [line.replace(str(bin_folder), "BIN") for line in asked]

    return run


def test_torch_comes_by_pip_and_the_rest_by_uv_in_silence(install):
    code, shown, asked = install("requirements/cpu.txt")
    assert (code, shown) == (0, "")
    torch, get_uv, build, packages, own = asked
    assert torch.endswith("install --no-compile --no-deps torch==2.13.0")
    assert get_uv.startswith("pip")
    assert get_uv.endswith(f"{CHECKED} requirements/locked/uv.txt")
    assert build == f"{UV} {CHECKED} requirements/locked/build.txt"
    assert packages == f"{UV} {CHECKED} requirements/locked/common.txt --requirement requirements/locked/cpu.txt"
    assert own == f"{UV} --no-deps --editable ."


def test_torch_of_the_gpu_set_has_a_hash_and_comes_with_the_rest(install):
    get_uv, _, packages, _ = install("requirements/gpu.txt")[2]
    assert "uv.txt" in get_uv
    assert packages.endswith("requirements/locked/gpu.txt")


def test_the_set_of_the_tests_brings_no_second_torch_and_no_second_install_of_this_package(install):
    *_, last = install("requirements/test.txt")[2]
    assert last == f"{UV} {CHECKED} requirements/locked/test.txt"


@pytest.mark.parametrize("lacking", [{"uv_code": 1}, {"pip_fails_at": "uv.txt"}])
def test_where_uv_cannot_be_had_or_cannot_reach_the_index_pip_installs_all(install, lacking):
    code, shown, asked = install("requirements/cpu.txt", **lacking)
    assert (code, shown) == (0, "")
    assert [line.rpartition("--quiet ")[2] for line in asked[-3:]] == [
        f"{PIP} {CHECKED} requirements/locked/build.txt",
        f"{PIP} {CHECKED} requirements/locked/common.txt --requirement requirements/locked/cpu.txt",
        f"{PIP} --no-deps --editable .",
    ]


def test_what_cannot_be_installed_at_all_is_said_in_four_parts(install):
    code, shown, _ = install("requirements/cpu.txt", pip_fails_at="torch==")
    assert code == 1
    assert "pip cannot: torch==" in shown
    for part in ("asked:    install requirements/cpu.txt", "happened: ", "affected: ", "fix:      see whether"):
        assert part in shown


NAME = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\\n]+)", re.MULTILINE)


def pins(file):
    """Versions by name, spelled as an index spells names."""
    return {
        name.lower().replace("_", "-").replace(".", "-"): version
        for name, version in NAME.findall((ROOT / file).read_text())
    }


@pytest.mark.parametrize("name", ["common", "cpu", "gpu", "test", "build", "uv"])
def test_the_lock_has_every_pin_with_hashes_and_no_address(name):
    """After an edit of a set: make lock."""
    text = (ROOT / f"requirements/locked/{name}.txt").read_text()
    locked = pins(f"requirements/locked/{name}.txt")
    asked = pins(f"requirements/{name}.txt")
    if name == "cpu":
        assert "torch" in asked  # the one without a hash: docs/security.md
        del asked["torch"]
    assert asked.items() <= locked.items()
    constraints = pins("requirements/constraints.txt")
    assert {each: version for each, version in locked.items() if constraints.get(each, version) != version} == {}
    entries = [each for each in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE) if NAME.match(each)]
    assert len(entries) == len(locked) > 0
    assert all("--hash=sha256:" in each for each in entries)
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|@ ", text)


def test_what_builds_this_package_is_what_the_lock_has():
    requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert [line.partition("==") for line in requires] == [
        ("setuptools", "==", pins("requirements/locked/build.txt")["setuptools"])
    ]
