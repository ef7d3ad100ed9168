"""Snakemake's Slurm executor, which keeps the jobs of which Slurm tells it nothing.

Snakemake's own drops every job that it has asked after in vain. A controller that is away for one round of questions (a second,
where there is no accounting to ask instead) leaves a run that waits for ever for jobs that ended long ago (docs/decisions/0105).
Found where profiles/slurm, or a copy of it, is on Python's path: `temper run --profile` sees to that.
"""

from snakemake_executor_plugin_slurm import Executor as SlurmExecutor
from snakemake_executor_plugin_slurm import ExecutorSettings, common_settings

__all__ = ["Executor", "ExecutorSettings", "common_settings"]


class Executor(SlurmExecutor):
    ended = frozenset()  # Slurm's numbers of the jobs whose end was seen in this round
    heard = True  # in the round before: one warning for an outage, however long

    def report_job_success(self, job_info):
        self.ended |= {job_info.external_jobid}
        super().report_job_success(job_info)

    def report_job_error(self, job_info, msg=None, **facts):
        self.ended |= {job_info.external_jobid}
        super().report_job_error(job_info, msg=msg, **facts)

    async def check_active_jobs(self, active_jobs):
        self.ended = frozenset()
        running = set()
        async for job_info in super().check_active_jobs(active_jobs):
            running.add(job_info.external_jobid)
            yield job_info
        dropped = [each for each in active_jobs if each.external_jobid not in running | self.ended]
        if dropped and self.heard:
            self.logger.warning(
                f"Slurm does not say how its jobs are ({len(dropped)} of this run): they are waited for, until it answers again."
            )
        self.heard = not dropped
        for job_info in dropped:
            yield job_info
