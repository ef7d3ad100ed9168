import json
import os
import subprocess
import sys

import pytest

from temper.environment import own_process

NAMES = ("random", "numpy", "yaml", "json", "sitecustomize")
SAYS = "import json, sys; json.dump({name: __import__(name).__file__ for name in sys.argv[1:]}, sys.stdout)"


def test_files_of_the_working_folder_are_no_libraries(tmp_path):
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the file of the folder ran')\n")
    (tmp_path / "said.py").unlink(missing_ok=True)
    done = subprocess.run(
        own_process.python_command("-c", SAYS, *NAMES[:4]), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert not [file for file in json.loads(done.stdout).values() if file.startswith(str(tmp_path))]


def test_what_a_process_starts_by_a_plain_command_line_has_it_too(tmp_path):
    """Snakemake starts `python -m snakemake` for a job, and `python script` for its script."""
    (tmp_path / "random.py").write_text("raise SystemExit('the file of the folder ran')\n")
    inner = [sys.executable, "-m", "random"]
    shadowed = subprocess.run(inner, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "the file of the folder ran" in shadowed.stderr  # else nothing is tested
    subprocess.run(inner, cwd=tmp_path, env=own_process.environment(), capture_output=True, check=True)


def test_the_variables_are_added_and_nothing_is_taken_away(monkeypatch):
    monkeypatch.setenv("MINE", "kept")
    for name in own_process.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    found = own_process.environment(MORE="1")
    assert (found["MINE"], found["MORE"], found["ORT_DISABLE_TELEMETRY"]) == ("kept", "1", "1")
    assert "ORT_DISABLE_TELEMETRY" not in os.environ
    for name, value in own_process.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)  # so that it is taken back
    own_process.settle()
    assert own_process.ENVIRONMENT.items() <= os.environ.items()


ASKED = """
import json, sys
from datasets import config
from huggingface_hub import constants
from openvino_telemetry.utils.opt_in_checker import ConsentCheckResult, OptInChecker
from dvc.analytics import is_enabled
json.dump({
    "a request for every local file": config.HF_UPDATE_DOWNLOAD_COUNTS,
    "huggingface_hub": not constants.HF_HUB_DISABLE_TELEMETRY,
    "OpenVINO and NNCF": OptInChecker().check(False, disable_in_ci=True) != ConsentCheckResult.DECLINED,
    "DVC": is_enabled(),
}, sys.stdout)
"""


def test_every_library_that_reports_its_use_understands_the_word_for_no(tmp_path):
    """tests/workflow/test_network.py looks at whole commands; this at the libraries' own reading of the variables."""
    environment = {**own_process.environment(), "HOME": str(tmp_path)}
    plain = {name: value for name, value in environment.items() if name not in ("CI", "JENKINS_URL")}
    done = subprocess.run(
        own_process.python_command("-c", ASKED), env=plain, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {
        "a request for every local file": False,
        "huggingface_hub": False,
        "OpenVINO and NNCF": False,
        "DVC": False,
    }


@pytest.mark.parametrize("folder", ["two words", "copy (1)", "it's", "a & b; $HOME"])
def test_an_interpreter_at_any_path_is_one_word_of_the_command_line_that_snakemake_makes(tmp_path, monkeypatch, folder):
    link = tmp_path / folder / "python"
    link.parent.mkdir()
    link.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(link))
    own_process.quote_interpreter()
    line = "{py_exec} {fname}".format(py_exec=sys.executable, fname="-V")
    assert subprocess.run(line, shell=True, capture_output=True, text=True, check=False).stdout.startswith("Python 3")
    assert own_process.python_command() == [str(link), "-P"]


def test_an_interpreter_at_a_plain_path_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    own_process.quote_interpreter()
    assert type(sys.executable) is str


def test_snakemake_reads_its_files_without_the_client_of_s3_which_is_there_all_the_same(tmp_path):
    asked = """
import sys
from snakemake.cli import get_argument_parser
get_argument_parser()  # as each command begins: its plugins are looked for
from snakemake.common import parse_uri
assert parse_uri("Snakefile").scheme == "file"
print("boto3" in sys.modules)
import boto3
from temper.environment.own_process import import_without
import_without("smart_open", "boto3")  # what is imported stays
print("boto3" in sys.modules)
"""
    done = subprocess.run(
        own_process.python_command("-c", asked), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
