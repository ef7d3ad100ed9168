# The checked study, the path patterns and the look-ups by row. No rule opens params.yaml itself.
import sys

# Snakemake puts the Snakefile's folder in front of the libraries, and the embedded study lies there: no file beside its
# params.yaml stands in for a library
sys.path[:] = [folder for folder in sys.path if folder != str(workflow.basedir)]

from pathlib import Path

from snakemake.exceptions import WorkflowError

from temper.environment import own_process, plugins
from temper.environment.library import resolve_version
from temper.environment.machine import wait_without_spinning
from temper.errors import PipelineError
from temper.orchestration import coming, kept_versions, machines, made_files, preflight, rule_code, run_lock
from temper.orchestration.job_record import record_path
from temper.orchestration.rule_files import (
    CALIBRATION_FILES, RuleFiles, any_of, beside_splits, gpus_for, plain, version_of, without_machine
)
from temper.report.files import CAPTIONS, REPORT_NAMES
from temper.report.page.templates import templates_digest
from temper.study import params_file, raw_files
from temper.study.onnx_rows import precision_options
from temper.study.sections.searches import SEARCH_FILES
from temper.study.study import read_study
from temper.training import checkpoint_head

wait_without_spinning()
own_process.settle()  # what jobs start inherits it, also where `snakemake` was called by itself
own_process.quote_interpreter()
try:
    preflight.check_code(workflow.basedir)
    # No `configfile:`: Snakemake's reader evaluates expressions in a file that asks for it (YTE), and reads YAML 1.1, in which
    # 2e-5 is text.
    given = [str(file) for file in workflow.overwrite_configfiles]
    own = [] if workflow.config_settings.replace_workflow_config or params_file.FILE in given else [params_file.FILE]
    STUDY = read_study(params_file.read_params([*own, *given], workflow.config_settings.config))
    if workflow.is_main_process:  # not where a cluster's node runs one job of a plan that was checked
        given = workflow.resource_settings
        preflight.check_start(STUDY.jobs, {"--cores": given.cores, "--jobs": given.nodes})
        checkpoint_head.check_model(STUDY.model, STUDY.train, STUDY.data.get("labels"))
    DATA_FILES = raw_files.data_files(STUDY.data)
    SOURCE_CHECKPOINT = raw_files.checkpoint_files(STUDY.model)  # its tokenizer or image processor, too
    FILES = RuleFiles(STUDY, kept_versions.read_kept_versions())
except PipelineError as error:
    raise WorkflowError(f"{type(error).__name__}:{error}") from None

# None where a scheduler places the jobs: then the profile's set-threads says how many processors a node has
WHOLE_MACHINE = (workflow.is_main_process and workflow.resource_settings.cores) or 1
BASELINE_BACKEND = STUDY.backends[STUDY.baseline.backend]
SCRIPTS = Path(workflow.basedir) / "workflow/scripts"
PREPARED_FILES, PREPARED_PREPROCESSOR, CHECKPOINT_FILES = FILES.prepared, FILES.prepared_preprocessor, FILES.checkpoint
ONNX_FILES, ENGINE_FILES, JOB_RECORDS = FILES.onnx, FILES.engine, FILES.job_records
artifact_files, backend_of, load_test_backend = FILES.artifact_files, FILES.backend_of, FILES.load_test_backend
load_test_modules = FILES.load_test_modules
precision_folder, precision_files = FILES.precision_folder, FILES.precision_files
buckets_file, versions_for = FILES.buckets_file, FILES.versions_for
machine_for, machine_files, placed = FILES.machine_for, FILES.machine_files, FILES.placed
PLACES = [place for place in STUDY.places if place]  # of a study whose candidates are measured on several machines
PLACE = "{place}" if PLACES else ""  # below which folder, and under which row, such a study has a report for each
REPORT_FOLDER = f"artifacts/report/{PLACE}".rstrip("/")
REMEASUREMENTS = f"{Path('artifacts/remeasurements', PLACE)}.json"
REPORT_FILES = [  # a line that begins with the word report is a directive to Snakemake
    f"{REPORT_FOLDER}/{name}" if name not in CAPTIONS else report(
        f"{REPORT_FOLDER}/{name}", caption=f"../report/{CAPTIONS[name][0]}", category=CAPTIONS[name][1]
    )
    for name in REPORT_NAMES
]


def is_forced():
    """Whether this run was told to make something anew (--force, --forceall, --forcerun): then nothing is adopted.

    To look at a machine again makes nothing: what was measured there stays where the same is seen.
    """
    asked = workflow.dag_settings
    return bool(asked.forcetargets or asked.forceall or [each for each in asked.forcerun if not machines.is_machine_file(str(each))])


def row_of(wildcards):
    """The row that a job is for; '' of a rule with one job."""
    return next(iter(map(str, wildcards)), "")


def asked_for(rule):
    """Resources that hang on the row of a job, which no result depends on; what a scheduler is asked for."""

    def asked(key):
        return lambda wildcards: placed(rule, row_of(wildcards)).get(key)

    return {key: asked(key) for key in FILES.resources(rule)}


def cores_for(rule):
    """Processors of what is timed, which are the whole machine so that nothing is beside it."""
    return lambda wildcards: FILES.cores_for(rule, row_of(wildcards), WHOLE_MACHINE)


def digest_of(script, *choices):
    """Digest of a rule's script, all it imports, and the modules that params.yaml chose by name."""
    return rule_code.digest_of(SCRIPTS / script, choices, STUDY.data.get("labels"))
