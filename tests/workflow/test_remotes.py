"""Sharing a study: a folder and a real S3 server as DVC remotes, damage on the way, a clone that runs nothing."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from temper.orchestration.stored import md5
from tests.workflow.repository import Repository, dvc_jobs

BUCKET = "studies"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Address of an S3 server on loopback, with a bucket."""
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("moto.server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    boto3.client("s3", endpoint_url=address, **KEYS).create_bucket(Bucket=BUCKET)
    yield address
    server.kill()
    server.wait()


KEYS = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}


def add_remote(made: Repository, url: str, address: str | None = None) -> None:
    """As docs/how-to/share-results.md says."""
    made.dvc("remote", "add", "--default", "--force", "shared", url)
    made.dvc("remote", "modify", "shared", "verify", "true")
    if address is not None:
        made.dvc("remote", "modify", "shared", "endpointurl", address)
    made.commit("a remote")


def clone(made: Repository, folder: Path) -> Repository:
    subprocess.run(["git", "clone", "--quiet", str(made.folder), str(folder)], check=True)
    return Repository(folder, folder)


def pull(made: Repository) -> str:
    """The documented command, `make pull`, without its environment of its own."""
    return made.temper_says("pull", **ENVIRONMENT)


def objects(remote: Path) -> list[Path]:
    return sorted(path for path in (remote / "files/md5").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "kind", [pytest.param("folder", marks=pytest.mark.long), "S3"]
)  # test_lose_nothing.py has a folder
def test_a_fresh_clone_pulls_everything_runs_nothing_and_snakemake_agrees(repository, kind, request, tmp_path):
    if kind == "folder":
        add_remote(repository, str(tmp_path / "remote"))
    else:
        add_remote(repository, f"s3://{BUCKET}/{tmp_path.name}", request.getfixturevalue("s3"))
    repository.dvc("push", **ENVIRONMENT)
    other = clone(repository, tmp_path / "clone")
    assert "17 artifacts checked against their job records" in pull(other)
    assert other.digests() == repository.digests()
    assert other.planned() == []
    assert dvc_jobs(other.dvc("repro", **ENVIRONMENT)) == []
    assert other.run("git", "status", "--porcelain") == ""
    shutil.rmtree(other.folder)


def long(damage: str) -> Any:
    return pytest.param(damage, marks=pytest.mark.long)


@pytest.mark.parametrize("damage", [long("truncated"), long("altered"), "gone"])
def test_a_damaged_object_is_noticed_and_put_right_by_one_command(repository, damage, tmp_path):
    remote = tmp_path / "remote"
    add_remote(repository, str(remote))
    repository.dvc("push")
    largest = max(objects(remote), key=lambda path: path.stat().st_size)
    content = largest.read_bytes()
    largest.chmod(0o644)
    if damage == "gone":
        largest.unlink()
    else:
        largest.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"\0" + content[1:])
    other = clone(repository, tmp_path / "clone")
    assert other.attempt("temper", "pull").returncode == 1
    assert other.files() == []
    said = repository.temper_says("verify-remote")
    assert ("not on the remote" if damage == "gone" else "damaged on the remote") in said
    assert "pushed again: 1 objects" in said
    assert largest.read_bytes() == content
    pull(other)
    assert other.planned() == []
    assert re.search(r"\b([1-9]\d*) of \1 objects were whole", repository.temper_says("verify-remote"))
    shutil.rmtree(other.folder)


@pytest.mark.long  # a folder's above, and a whole clone from S3
def test_a_damaged_object_on_s3_is_put_right(repository, s3, tmp_path):
    import boto3

    add_remote(repository, f"s3://{BUCKET}/{tmp_path.name}", s3)
    repository.dvc("push", **ENVIRONMENT)
    client = boto3.client("s3", endpoint_url=s3, **KEYS)
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix=tmp_path.name)["Contents"]
    largest = max((entry for entry in listed if "/md5/" in entry["Key"]), key=lambda entry: entry["Size"])["Key"]
    client.put_object(Bucket=BUCKET, Key=largest, Body=b"")
    other = clone(repository, tmp_path / "clone")
    refused = other.attempt("temper", "pull", **ENVIRONMENT)
    assert refused.returncode == 1
    assert "1 objects are damaged on the remote" in refused.stderr
    assert other.files() == []
    assert "pushed again: 1 objects" in repository.temper_says("verify-remote", **ENVIRONMENT)
    pull(other)
    assert other.planned() == []
    shutil.rmtree(other.folder)


def test_a_push_that_is_killed_loses_nothing(repository, tmp_path):
    remote = tmp_path / "remote"
    add_remote(repository, str(remote))
    pushing = subprocess.Popen(
        [sys.executable, "-m", "dvc", "push", "--jobs", "1"],
        cwd=repository.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (remote.exists() and objects(remote)):
        assert time.monotonic() < deadline
        assert pushing.poll() is None, "the push ended before it could be killed"
        time.sleep(0.001)
    os.killpg(pushing.pid, signal.SIGKILL)
    pushing.wait()
    # a file that the kill left half written stops DVC where it is the list of a folder: verify-remote writes it anew
    again = repository.attempt("dvc", "push")
    assert again.returncode == 0 or "is corrupted" in again.stdout + again.stderr
    said = repository.temper_says("verify-remote")
    repository.dvc("push")
    assert re.search(r"^(\d+) of \1 objects were whole$", said, re.MULTILINE) or "pushed again" in said
    other = clone(repository, tmp_path / "clone")
    pull(other)
    assert other.digests() == repository.digests()
    shutil.rmtree(other.folder)


# ends where DVC has written the first part of its list of what a push has to send, and had more to write
_KILLED_AT_ITS_LIST = """
import os, sys
from dvc.cli import main
import dvc_data.index.collect
module = sys.modules["dvc_data.index.collect"]
lists, parts = module._collect_from_index, []
def collect(*arguments, **options):
    parts.append(1)
    if len(parts) == 4:
        os._exit(9)
    lists(*arguments, **options)
module._collect_from_index = collect
main(["push"])
"""


def test_a_push_after_one_that_was_killed_at_its_list_of_objects_sends_all_of_them(repository, tmp_path):
    remote = tmp_path / "remote"
    add_remote(repository, str(remote))
    assert repository.attempt("python", "-c", _KILLED_AT_ITS_LIST).returncode == 9
    assert not objects(remote)
    repository.run("temper", "push")
    other = clone(repository, tmp_path / "clone")
    pull(other)
    assert other.digests() == repository.digests()
    shutil.rmtree(other.folder)


@pytest.mark.long  # a pull without what it needs touches nothing in test_lose_nothing.py
def test_a_remote_that_is_down_is_said_and_spoils_nothing(repository, tmp_path):
    before = repository.digests()
    add_remote(repository, f"s3://{BUCKET}/nothing", "http://127.0.0.1:9")  # nobody listens on the discard port
    lost = repository / "artifacts/report/summary.md"
    digest = md5(lost)
    stored = repository / f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}"
    aside = (shutil.move(lost, tmp_path / "summary.md"), shutil.move(stored, tmp_path / "stored"))
    done = repository.attempt("temper", "pull", **ENVIRONMENT)
    assert done.returncode == 1
    assert "the remote cannot be read: EndpointConnectionError" in done.stderr
    assert not lost.exists()
    for moved, place in zip(aside, (lost, stored), strict=True):
        shutil.move(moved, place)
    for command in (["dvc", "push"], ["temper", "verify-remote"]):
        done = repository.attempt(*command, **ENVIRONMENT)
        assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "affected: nothing" in done.stderr
    assert repository.digests() == before
    assert repository.planned() == []
    assert repository.repro() == []


def test_a_checkout_without_a_remote_says_how_to_add_one(repository):
    done = repository.attempt("temper", "verify-remote")
    assert done.returncode == 1
    assert "dvc remote add" in done.stderr
