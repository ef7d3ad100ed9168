"""The beginning of every plan: the study that the Snakefile's folder holds, read and checked before any rule is."""

import contextlib
from typing import Any

from temper.environment import own_process
from temper.environment.machine import wait_without_spinning
from temper.orchestration import kept_versions, machines, preflight
from temper.orchestration.rule_files import RuleFiles
from temper.study import params_file, raw_files
from temper.study.params_lines import naming_lines
from temper.study.study import read_study
from temper.training import checkpoint_head


def begin(workflow: Any) -> RuleFiles:
    """The study of the working folder, and its files.

    Args:
        workflow: Snakemake's, as a Snakefile sees it.

    Raises:
        PipelineError: the study cannot be planned, here or as it was asked for.
    """
    wait_without_spinning()
    own_process.settle()  # what jobs start inherits it, also where `snakemake` was called by itself
    own_process.quote_interpreter()
    preflight.check_code(workflow.basedir)
    # No `configfile:`: Snakemake's reader evaluates expressions in a file that asks for it (YTE), and reads YAML 1.1, in which
    # 2e-5 is text.
    given = [str(file) for file in workflow.overwrite_configfiles]
    own = [] if workflow.config_settings.replace_workflow_config or params_file.FILE in given else [params_file.FILE]
    files = [*own, *given]
    with (
        naming_lines(files[0]) if len(set(files)) == 1 else contextlib.nullcontext()
    ):  # of several, nobody knows in which
        study = read_study(params_file.read_params(files, workflow.config_settings.config))
    if workflow.is_main_process:  # not where a cluster's node runs one job of a plan that was checked
        preflight.check_storage(workflow.storage_settings.default_storage_provider)
        asked = workflow.resource_settings
        preflight.check_start(study.jobs, {"--cores": asked.cores, "--jobs": asked.nodes})
        checkpoint_head.check_model(study.model, study.train, study.data.get("labels"))
    return RuleFiles(
        study,
        kept_versions.read_kept_versions(),
        data_files=raw_files.data_files(study.data),
        source_checkpoint=raw_files.checkpoint_files(study.model),
    )


def is_forced(asked: Any) -> bool:
    """Whether a run was told to make something anew (--force, --forceall, --forcerun): then nothing is adopted.

    To look at a machine again makes nothing: what was measured there stays where the same is seen.

    Args:
        asked: Snakemake's settings of the graph of jobs.
    """
    made_anew = [rule for rule in asked.forcerun if not machines.is_machine_file(str(rule))]
    return bool(asked.forcetargets or asked.forceall or made_anew)
