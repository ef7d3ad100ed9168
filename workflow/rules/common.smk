# The checked study, the path patterns and the look-ups by row. No rule opens params.yaml itself.
import sys

# Snakemake puts the Snakefile's folder in front of the libraries, and the embedded study lies there: no file beside its
# params.yaml stands in for a library
sys.path[:] = [folder for folder in sys.path if folder != str(workflow.basedir)]

import re
from pathlib import Path

from snakemake.exceptions import WorkflowError

from temper.environment import devices, own_process, plugins
from temper.orchestration import preflight
from temper.study import params_file, raw_files
from temper.training import checkpoint_head
from temper.data.encoded import PREPROCESSOR_FOLDER, split_files
from temper.errors import PipelineError
from temper.environment.library import resolve_version
from temper.study.onnx_rows import precision_options
from temper.environment.machine import measuring_machine, wait_without_spinning
from temper.study.sections.searches import SEARCH_FILES
from temper.report.files import CAPTIONS, REPORT_NAMES
from temper.report.page.templates import templates_digest
from temper.artifacts.signature import PREPROCESSOR_FILES
from temper.environment.source_digest import source_digest
from temper.study.study import read_study
from temper.orchestration import coming, kept_versions, made_files, run_lock
from temper.orchestration.job_record import record_path

wait_without_spinning()
own_process.settle()  # what jobs start inherits it, also where `snakemake` was called by itself
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
        checkpoint_head.check_model(STUDY.model, STUDY.train)
    DATA_FILES = raw_files.data_files(STUDY.data)
    SOURCE_CHECKPOINT = raw_files.checkpoint_files(STUDY.model)  # its tokenizer or image processor, too
    KEPT_VERSIONS = kept_versions.read_kept_versions()
except PipelineError as error:
    raise WorkflowError(f"{type(error).__name__}:{error}") from None

# None where a scheduler places the jobs: then the profile's set-threads says how many processors a node has
WHOLE_MACHINE = (workflow.is_main_process and workflow.resource_settings.cores) or 1
BASELINE_BACKEND = STUDY.backends[STUDY.baseline.backend]
SCRIPTS = Path(workflow.basedir) / "workflow/scripts"
PREPROCESSOR = PREPROCESSOR_FILES[STUDY.model.task]
PREPARED_PREPROCESSOR = expand(f"{PREPROCESSOR_FOLDER}/{{file}}", file=PREPROCESSOR)
EXTERNAL_DATA = ("model.onnx.data",) if STUDY.onnx_external_data else ()
SPLITS = ("train", "validation", "test", "calibration")

PREPARED_FILES = expand(
    "data/prepared/{file}",
    file=(*dict.fromkeys(file for split in SPLITS for file in split_files(split)), "data_card.json", *PREPARED_PREPROCESSOR),
)
CHECKPOINT_FILES = expand(
    "artifacts/checkpoint/{file}",
    file=("config.json", "model.safetensors", "checkpoint.json", "training_history.json", "signature.json", *PREPROCESSOR),
)
ONNX_FILES = ("model.onnx", "onnx.json", "signature.json", *EXTERNAL_DATA, *PREPROCESSOR)
CALIBRATION_FILES = ("cache.json", "quantized.onnx")
ENGINE_FILES = ("model.engine", "engine.json", "signature.json", *PREPROCESSOR)
REPORT_FILES = [  # a line that begins with the word report is a directive to Snakemake
    f"artifacts/report/{name}" if name not in CAPTIONS else report(
        f"artifacts/report/{name}", caption=f"../report/{CAPTIONS[name][0]}", category=CAPTIONS[name][1]
    )
    for name in REPORT_NAMES
]
JOB_RECORDS = [record_path(rule, row) for rule, rows in STUDY.jobs.items() for row in rows]


def is_forced():
    """Whether this run was told to make something anew (--force, --forceall, --forcerun): then nothing is adopted."""
    asked = workflow.dag_settings
    return bool(asked.forcetargets or asked.forceall or asked.forcerun)


def beside_splits(*names):
    """What a job that reads splits reads with them: their manifests and the signature. No other split, and no data card."""
    return expand("data/prepared/{file}", file=dict.fromkeys(file for name in names for file in split_files(name)[1:]))


def any_of(rows):
    """A wildcard constraint: one of these names and nothing else."""
    return "|".join(map(re.escape, rows)) or "(?!)"


def plain(row):
    """A row as Snakemake keeps it among a job's params: plain dicts and lists."""
    return row.model_dump(mode="json") if hasattr(row, "model_dump") else row


def digest_of(script, *choices):
    """Digest of a rule's script, all it imports, and the modules that params.yaml chose by name."""
    return source_digest(SCRIPTS / script, *(plugins.module_name(folder, name) for folder, name in choices))


def artifact_files(loads):
    """The files of what a candidate's row `loads`: checkpoint, onnx/<row> or engines/<row>."""
    files = {"onnx": ONNX_FILES, "engines": ENGINE_FILES}.get(loads.partition("/")[0])
    return CHECKPOINT_FILES if files is None else expand(f"artifacts/{loads}/{{file}}", file=files)


def version_of(folder, name, asked):
    """The library version a row will run with; a change of it reruns the row."""
    return resolve_version(plugins.load(folder, name).LIBRARY, asked)


def backend_of(wildcards):
    """The row of `backends:` that a candidate runs on."""
    return STUDY.backends[STUDY.candidates[wildcards.candidate].backend]


def load_test_backend(wildcards):
    """The row of `backends:` that a load test runs on."""
    return STUDY.backends[STUDY.load_tests[wildcards.load_test]["backend"]]


def precision_folder(wildcards, kind):
    """Folder of the `calibration` or `search` that a precision's row names; None where it names none."""
    row, top = STUDY.conversions[wildcards.precision], {"calibration": "calibration", "search": "searches"}[kind]
    return f"artifacts/{top}/{row[kind]}" if kind in row else None


def precision_files(wildcards, kind):
    """The files of it that are read; none where it names none."""
    files, folder = {"calibration": CALIBRATION_FILES, "search": SEARCH_FILES[:1]}[kind], precision_folder(wildcards, kind)
    return [f"{folder}/{file}" for file in files if folder]


def buckets_file(wildcards):
    """The limits that an engine's row takes from `buckets:`; None where it gives its shapes itself."""
    row = STUDY.engine_rows[wildcards.engine]
    return f"artifacts/buckets/{row.buckets}.json" if hasattr(row, "buckets") else None


def versions_for(rule, row, *names):
    """Versions of the libraries that a job's bytes depend on; another version makes them anew."""
    return kept_versions.made_with(KEPT_VERSIONS, rule, row, *names)


def gpus_for(backend):
    """The GPUs a backend will run on; another GPU or driver reruns its candidates. CPU backends see none."""
    return devices.gpus_used(backend.gpus, backend.options)
