"""A remote that dies in the middle of a pull or a push, and comes back: the same command again ends right.

Before the S3 server stands a proxy that ends all its connections after so many bytes, drawn by seed, and takes no new ones.
"""

import contextlib
import hashlib
import random
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.conftest import happened
from tests.workflow.repository import Repository, copy_repository
from tests.workflow.test_remotes import BUCKET, ENVIRONMENT, KEYS, add_remote, clone, s3  # noqa: F401

pytestmark = pytest.mark.long

SEED, DEATHS = 20261201, 6


class Mortal:
    """A proxy before a server that lets so many bytes through, and then dies."""

    def __init__(self, server: str) -> None:
        self._server = server.removeprefix("http://").split(":")
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._left, self._open = float("inf"), set[socket.socket]()
        self._lock, self.passed = threading.Lock(), 0
        threading.Thread(target=self._accept, daemon=True).start()

    def live(self, left: float = float("inf")) -> None:
        """Answer, for so many bytes."""
        with self._lock:
            self._left, self.passed = left, 0

    @property
    def dead(self) -> bool:
        return self._left <= 0

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self._listening.accept()
            except OSError:
                return
            if self.dead:
                one.close()
                continue
            other = socket.create_connection((self._server[0], int(self._server[1])))
            self._open |= {one, other}
            for pair in ((one, other), (other, one)):
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while part := source.recv(16_384):
                with self._lock:
                    self.passed += len(part)
                    self._left -= len(part)
                if self.dead:
                    for each in list(self._open):
                        shut_down(
                            each
                        )  # a thread that reads it keeps it open else, and the other side waits for minutes
                        each.close()
                    self._open.clear()
                    return
                target.sendall(part)
        except OSError:
            pass
        finally:
            for each in (source, target):
                shut_down(each)

    def close(self) -> None:
        self._listening.close()


def shut_down(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def mortal(s3: str) -> Iterator[Mortal]:  # noqa: F811
    made = Mortal(s3)
    yield made
    made.close()


def deaths(whole: int) -> list[int]:
    drawn = random.Random(SEED)
    return [round(drawn.uniform(0.02, 0.98) * whole) for _ in range(DEATHS)]


def test_after_a_remote_that_died_in_a_pull_the_next_ends_right(
    finished_repository, mortal, record_property, tmp_path: Path
):
    found = Counter[str]()
    made = copy_repository(finished_repository, tmp_path / "pushed")
    add_remote(made, f"s3://{BUCKET}/pull", mortal.address)
    made.run("temper", "push", **ENVIRONMENT)
    mortal.live()
    whole_one = clone(made, tmp_path / "whole")
    whole_one.run("temper", "pull", **ENVIRONMENT)
    whole, wanted = mortal.passed, made.digests()
    assert whole_one.digests() == wanted
    for number, limit in enumerate(deaths(whole)):
        other: Repository = clone(made, tmp_path / f"clone-{number}")
        mortal.live(limit)
        done = other.attempt("temper", "pull", **ENVIRONMENT)
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert "Traceback" not in said, said
        assert "affected: nothing" in said, said
        assert other.files() == []
        mortal.live()
        other.run("temper", "pull", **ENVIRONMENT)
        assert other.digests() == wanted
        assert other.planned() == []
        found["refused in words, then right"] += 1
        shutil.rmtree(other.folder)
    record_property("outcomes", dict(found))
    print(dict(found))


def objects_of(address: str, folder: str) -> dict[str, bool]:
    """What the bucket holds of a remote: names of objects, and whether each is whole."""
    import boto3

    client = boto3.client("s3", endpoint_url=address, **KEYS)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{folder}/files/md5/")
    found = {}
    for name in (each["Key"] for page in pages for each in page.get("Contents", [])):
        content = client.get_object(Bucket=BUCKET, Key=name)["Body"].read()
        digest = "".join(name.split("/")[-2:])
        found[digest] = hashlib.md5(content).hexdigest() == digest.removesuffix(".dir")
    return found


def test_after_a_remote_that_died_in_a_push_the_next_ends_right(
    finished_repository,
    mortal,
    s3,  # noqa: F811
    record_property,
    tmp_path: Path,
):
    found = Counter[str]()
    made = copy_repository(finished_repository, tmp_path / "pushing")
    add_remote(made, f"s3://{BUCKET}/push-whole", mortal.address)
    mortal.live()
    made.run("temper", "push", **ENVIRONMENT)
    whole, digests, wanted = mortal.passed, made.digests(), objects_of(s3, "push-whole")
    assert wanted
    assert all(wanted.values())
    for number, limit in enumerate(deaths(whole)):
        add_remote(made, f"s3://{BUCKET}/push-{number}", mortal.address)
        mortal.live(limit)
        done = made.attempt("temper", "push", **ENVIRONMENT)
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert "dvc push ended with exit code" in happened(said)
        arrived = objects_of(s3, f"push-{number}")
        assert arrived.keys() <= wanted.keys()
        found["objects that had arrived whole"] += sum(arrived.values())
        found["objects that had arrived by half"] += len(arrived) - sum(arrived.values())
        assert made.digests() == digests
        mortal.live()
        other = clone(made, tmp_path / f"clone-{number}")
        pulled = other.attempt("temper", "pull", **ENVIRONMENT)
        assert pulled.returncode == 1
        happened(pulled.stdout + pulled.stderr)
        assert other.files() == []
        made.run("temper", "push", **ENVIRONMENT)
        assert objects_of(s3, f"push-{number}") == wanted
        other.run("temper", "pull", **ENVIRONMENT)
        assert other.digests() == digests
        assert other.planned() == []
        found["refused in words, then right"] += 1
        shutil.rmtree(other.folder)
    record_property("outcomes", dict(found))
    print(dict(found))
