"""Snakemake's Kubernetes executor for pods that work in the study's own folder: a volume, mounted where the run sees it too.

Snakemake's own takes it that pods share nothing and asks for a storage provider (docs/decisions/0101, 0102). What is said here
beside that: a pod of what is timed has its node for itself, a job ends after its `runtime`, and its processes begin as all of
Temper's do. Snakemake finds it by this package's name where profiles/kubernetes is on PYTHONPATH, and nowhere else.
"""

import shlex

from kubernetes import client
from snakemake_executor_plugin_kubernetes import Executor as PodExecutor
from snakemake_executor_plugin_kubernetes import ExecutorSettings
from snakemake_interface_executor_plugins.settings import CommonSettings

from temper.environment.own_process import ENVIRONMENT

__all__ = ["Executor", "ExecutorSettings", "common_settings"]
LABEL = {"app": "temper"}

common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_default_storage_provider_args=False,
    pass_default_resources_args=True,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
)


class _Placing:
    """Kubernetes' interface for jobs; one that is made gets what this job's pod needs beside what Snakemake's executor says."""

    def __init__(self, api, executor):
        self.api, self.executor = api, executor

    def __getattr__(self, name):
        return getattr(self.api, name)

    def create_namespaced_job(self, namespace, body):
        return self.api.create_namespaced_job(namespace, placed(body, self.executor.asked))


def placed(body, asked):
    """A job whose pod keeps other pods of studies from its node where it times something, and that ends after its time.

    Args:
        body: the job as Snakemake's executor has it; changed.
        asked: resources of the rule's job.
    """
    pod = body.spec.template
    pod.metadata = client.V1ObjectMeta(labels=LABEL)
    if asked.get("slurm_extra") == "--exclusive":  # what a row of machines: and the profile say for any scheduler
        alone = client.V1PodAffinityTerm(
            label_selector=client.V1LabelSelector(match_labels=LABEL), topology_key="kubernetes.io/hostname"
        )
        # Kubernetes holds it in both directions: no such pod comes to a node where this one runs
        apart = client.V1PodAntiAffinity(required_during_scheduling_ignored_during_execution=[alone])
        pod.spec.affinity = client.V1Affinity(pod_anti_affinity=apart)
    if "runtime" in asked:
        body.spec.active_deadline_seconds = 60 * int(asked["runtime"])
    for container in pod.spec.containers:
        variables = [client.V1EnvVar(name=name, value=value) for name, value in ENVIRONMENT.items()]
        container.env = [*(container.env or []), *variables]
    return body


class Executor(PodExecutor):
    asked = {}  # noqa: RUF012  resources of the job that is being submitted

    @property
    def batchapi(self):
        return self._batchapi

    @batchapi.setter
    def batchapi(self, api):
        self._batchapi = _Placing(api, self)

    def run_job(self, job):
        self.asked = dict(job.resources)
        super().run_job(job)

    def get_job_exec_prefix(self, job):
        return f"cd {shlex.quote(self.workflow.workdir_init)}"
