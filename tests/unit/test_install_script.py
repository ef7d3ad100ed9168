"""requirements/install.sh, with installers that note what they are asked: the real ones take a minute and a network."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PIP = """#!/bin/sh
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
PYTHON = '#!/bin/sh\necho "$(dirname "$0")"\n'


@pytest.fixture
def install(tmp_path):
    """Runs the script on a set; gives exit code, what a person sees, and what the installers were asked for."""
    bin_folder = tmp_path / "venv/bin"
    bin_folder.mkdir(parents=True)
    for name, text in (("pip", PIP), ("python", PYTHON)):
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
    torch, get_uv, packages, own = asked
    assert "install" in torch
    assert torch.endswith("-c requirements/constraints.txt torch==2.13.0")
    assert get_uv.startswith("pip")
    assert "uv==" in get_uv
    assert packages == "uv pip install --quiet --python BIN/python --requirements requirements/cpu.txt"
    assert own == "uv pip install --quiet --python BIN/python --no-deps --editable ."


def test_the_set_of_the_tests_brings_no_second_torch_and_no_second_install_of_this_package(install):
    *_, last = install("requirements/test.txt")[2]
    assert last == "uv pip install --quiet --python BIN/python --requirements requirements/test.txt"


@pytest.mark.parametrize("lacking", [{"uv_code": 1}, {"pip_fails_at": "uv=="}])
def test_where_uv_cannot_be_had_or_cannot_reach_the_index_pip_installs_all(install, lacking):
    code, shown, asked = install("requirements/cpu.txt", **lacking)
    assert (code, shown) == (0, "")
    assert [line.rpartition("--quiet ")[2] for line in asked[-2:]] == [
        "install --no-compile -r requirements/cpu.txt",
        "install --no-deps --editable .",
    ]


def test_what_cannot_be_installed_at_all_is_said_in_four_parts(install):
    code, shown, _ = install("requirements/cpu.txt", pip_fails_at="torch==")
    assert code == 1
    assert "pip cannot: torch==" in shown
    for part in ("asked:    install requirements/cpu.txt", "happened: ", "spoiled: ", "fix:      see whether"):
        assert part in shown
