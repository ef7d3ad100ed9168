"""A study whose jobs are Kubernetes' pods, as a stand-in for a cluster sees it, which takes what it is told and runs nothing.

Needs what requirements/kubernetes.txt names.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.workflow.test_slurm import SMALL, study

ROOT = Path(__file__).parents[2]
PROFILE = ROOT / "profiles/kubernetes"
STUDY = {**SMALL, "machines": {"small": {"machine_type": "m5.large", "cores": 4}}}
TIMED = ("measure", "remeasure", "load_test", "read_machine")


class Pod:
    """A job that the cluster was asked for."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.spec = body["spec"]["template"]["spec"]
        (self.container,) = self.spec["containers"]

    @property
    def alone(self) -> bool:
        return "affinity" in self.spec

    @property
    def rule(self) -> str:
        found = re.search(r"--allowed-rules '?(\w+)", self.container["args"][1])
        assert found is not None, self.container
        return found[1]


class Cluster:
    """Kubernetes' interface, as far as Snakemake's executor uses it; no pod gets a node."""

    def __init__(self) -> None:
        self.pods: dict[str, Pod] = {}
        self.asked_after: set[str] = set()  # the run knows of these: one that it is just asking for it does not delete
        self.deleted: set[str] = set()
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *what: object) -> None: ...

            def answer(self, content: dict[str, Any]) -> None:
                sent = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def told(self) -> dict[str, Any]:
                said = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                return json.loads(said) if said else {}

            def do_POST(self) -> None:
                body = self.told()
                if self.path == "/apis/batch/v1/namespaces/default/jobs":
                    cluster.pods[body["metadata"]["name"]] = Pod(body)
                self.answer(body)

            def do_GET(self) -> None:
                found = re.fullmatch(r"/apis/batch/v1/namespaces/default/jobs/([\w-]+)/status", self.path)
                self.answer({"status": {"active": 1}} if found else {"items": []})
                if found:
                    cluster.asked_after.add(found[1])

            def do_DELETE(self) -> None:
                self.told()
                if found := re.match(r"/apis/batch/v1/namespaces/default/jobs/([\w-]+)", self.path):
                    cluster.deleted.add(found[1])
                self.answer({})

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_profile_is_planned_by_snakemake_with_its_executor(tmp_path):
    pytest.importorskip("snakemake_executor_plugin_kubernetes", reason="requirements/kubernetes.txt is not installed")
    folder = study(tmp_path / "small", STUDY)
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder),
            *("--profile", PROFILE, "--dry-run"),
        ],
        env=with_executor(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert re.search(r"^total +11$", said, re.MULTILINE), said
    assert not (folder / "artifacts").exists()


def with_executor(**more: str) -> dict[str, str]:
    inherited = [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROFILE), str(ROOT / "src"), *inherited]), **more}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    pytest.importorskip("snakemake_executor_plugin_kubernetes", reason="requirements/kubernetes.txt is not installed")
    made = Cluster()
    yield made
    made.server.shutdown()


def known(body: dict[str, Any]) -> dict[str, Any]:
    """What of a job Kubernetes' own models know."""
    from kubernetes import client

    api = client.ApiClient()
    found: dict[str, Any] = api.sanitize_for_serialization(
        api.deserialize(SimpleNamespace(data=json.dumps(body)), "V1Job")
    )
    return found


def begin(tmp_path: Path, cluster: Cluster) -> "tuple[subprocess.Popen[str], dict[str, Any]]":
    """A run of the study on the cluster, and its profile."""
    study(tmp_path / "small", STUDY)
    address = f"http://127.0.0.1:{cluster.server.server_address[1]}"
    access = {
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": address}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "users": [{"name": "me", "user": {}}],
    }
    (tmp_path / "access.yaml").write_text(yaml.safe_dump(access))
    profile = yaml.safe_load((PROFILE / "config.yaml").read_text())
    (tmp_path / "profile").mkdir()
    sooner = {"latency-wait": 20, "seconds-between-status-checks": 1}
    (tmp_path / "profile/config.yaml").write_text(yaml.safe_dump(profile | sooner))
    command = [*(sys.executable, "-P", "-m", "temper.cli", "run", "-C", tmp_path / "small")]
    run = subprocess.Popen(
        [*command, "--profile", tmp_path / "profile"],
        env=with_executor(KUBECONFIG=str(tmp_path / "access.yaml")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return run, profile


def check_asked(pod: Pod, profile: dict[str, Any]) -> None:
    """A pod is what the profile and the study say, in words that Kubernetes knows."""
    assert known(pod.body) == pod.body
    asked = {**profile["default-resources"], **profile["set-resources"].get(pod.rule, {})}
    limits = pod.container["resources"]["limits"]
    assert limits["memory"] == f"{asked['mem_mb']}M"
    assert pod.body["spec"]["activeDeadlineSeconds"] == 60 * asked["runtime"]
    assert pod.container["image"] == profile["container-image"]
    assert {"name": "studies", "mountPath": "/studies"} in pod.container["volumeMounts"]
    assert {"name": "PYTHONSAFEPATH", "value": "1"} in pod.container["env"]
    assert "--default-storage" not in pod.container["args"][1]
    assert pod.alone == (pod.rule in TIMED)
    selected = pod.spec.get("nodeSelector", {}) == {"node.kubernetes.io/instance-type": "m5.large"}
    assert selected == (pod.rule in TIMED)
    if pod.rule in TIMED:
        assert limits["cpu"] == "4000m"


@pytest.mark.long
def test_pods_are_asked_for_as_profile_and_study_say_and_end_with_the_run(tmp_path, cluster):
    run, profile = begin(tmp_path, cluster)
    deadline = time.monotonic() + 120
    while len(cluster.asked_after) < 2:
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(run.pid, signal.SIGINT)
    said = run.communicate(timeout=120)[0]
    assert "Traceback" not in said
    assert sorted(pod.rule for pod in cluster.pods.values()) == ["prepare_data", "read_machine"]
    for pod in cluster.pods.values():
        check_asked(pod, profile)
    assert cluster.deleted == cluster.pods.keys()
