# The checked study and the look-ups by row: FILES has them for every rule. No rule opens params.yaml itself.
import sys

# Snakemake puts the Snakefile's folder in front of the libraries, and the embedded study lies there: no file beside its
# params.yaml stands in for a library
sys.path[:] = [folder for folder in sys.path if folder != str(workflow.basedir)]

from pathlib import Path

from snakemake.exceptions import WorkflowError

from temper.environment import plugins
from temper.errors import PipelineError
from temper.orchestration import coming, in_words, machines, made_files, planning, rule_code, run_lock
from temper.orchestration.job_record import record_path
from temper.orchestration.rule_files import (
    CALIBRATION_FILES, any_of, beside_splits, gpus_for, plain, row_of, version_of, without_machine
)
from temper.report.files import REPORT_NAMES
from temper.study.sections.searches import SEARCH_FILES

try:
    FILES = planning.begin(workflow)
except PipelineError as error:
    in_words.speak()
    raise WorkflowError(f"{type(error).__name__}:{error}") from None

STUDY = FILES.study
# None where a scheduler places the jobs: then the profile's set-threads says how many processors a node has
WHOLE_MACHINE = (workflow.is_main_process and workflow.resource_settings.cores) or 1
BASELINE_BACKEND = STUDY.backends[STUDY.baseline.backend]
PLACES = [place for place in STUDY.places if place]  # of a study whose candidates are measured on several machines
PLACE = "{place}" if PLACES else ""  # below which folder, and under which row, such a study has a report for each
REPORT_FOLDER = f"artifacts/report/{PLACE}".rstrip("/")
REMEASUREMENTS = f"{Path('artifacts/remeasurements', PLACE)}.json"


def cores_for(rule):
    """Processors of what is timed, which are the whole machine so that nothing is beside it."""
    return lambda wildcards: FILES.cores_for(rule, row_of(wildcards), WHOLE_MACHINE)


def digest_of(script, *choices):
    """Digest of a rule's script, all it imports, and the modules that params.yaml chose by name."""
    return rule_code.digest_of(Path(workflow.basedir, "workflow/scripts", script), choices, STUDY.data.get("labels"))
