"""On the text of a dry run as the pinned Snakemake prints it; tests/workflow/test_plan.py asks Snakemake itself."""

import pytest

from temper.orchestration.job_record import JobRecord, write_job_record
from temper.orchestration.jobs import Job
from temper.orchestration.plan import SETTINGS_CHANGED, PlannedJob, changed_settings, in_words, parse_dry_run, wrapped

UNION = "Params have changed since last execution: Union of exclusive params before and now across all output: "
DRY_RUN = f"""Building DAG of jobs...
Job stats:
job            count
-----------  -------
export_onnx        2
all                1

[Sat Nov 21 02:57:39 2026]
Job 1: export_onnx fp32-opset18
Reason: {UNION}before: '0123456789abcdef',{{'opset': 18, 'max': 0.001}} now: 'fedcba9876543210',{{'opset': 20, 'max': 0.001}} 
[Sat Nov 21 02:57:39 2026]
Job 2: export_onnx fp32
Reason: Missing output files: out/a.onnx, out/b.json, out/c.json
[Sat Nov 21 02:57:39 2026]
Job 31: report
Reason: Missing output files: rep.txt; Input files updated by another job: out/fp32/a.onnx, out/fp32/b.json
[Sat Nov 21 02:57:39 2026]
rule all:
    input: out/a.txt, out/b.txt, rep.txt
    jobid: 0
    reason: Input files updated by another job: rep.txt
Reasons:
    output files have to be generated:
        export_onnx, report
This was a dry-run (flag -n). The order of jobs does not reflect the order of execution.
"""


def test_every_job_but_the_target_is_read_with_its_row_and_reasons():
    assert parse_dry_run(DRY_RUN) == [
        PlannedJob("export_onnx", "fp32-opset18", (SETTINGS_CHANGED,)),
        PlannedJob("export_onnx", "fp32", ("not there: out/a.onnx and 2 more",)),
        PlannedJob("report", "", ("not there: rep.txt", "follows out/fp32")),
    ]


def test_a_job_is_one_line_with_its_row_where_it_has_one():
    assert [str(job) for job in parse_dry_run(DRY_RUN)][1:] == [
        "export_onnx fp32: not there: out/a.onnx and 2 more",
        "report: not there: rep.txt; follows out/fp32",
    ]


def test_a_text_without_jobs_has_none():
    assert parse_dry_run("Building DAG of jobs...\nNothing to be done.\n") == []


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Missing output files: a", ("not there: a",)),
        ("Incomplete output files: a, b", ("left unfinished: a and 1 more",)),
        ("Updated input files: data/raw/x.csv", ("changed: data/raw/x.csv",)),
        ("Input files updated by another job: b/2, a/1, b/1, top", ("follows a, b, top",)),
        ("Set of input files has changed since last execution", ("reads other files than last time",)),
        ("Forced execution", ("Forced execution",)),
        (f"Updated input files: a; {UNION}before: 1 now: 2 ", ("changed: a", SETTINGS_CHANGED)),
    ],
)
def test_each_of_snakemakes_reasons_is_put_in_words(reason, expected):
    (job,) = parse_dry_run(f"Job 7: measure a\nReason: {reason}\n")
    assert job.reasons == expected


@pytest.mark.parametrize(
    ("rule", "before", "now", "expected"),
    [
        (
            "calibrate",
            {"row": {"method": "percentile"}},
            {"row": {"method": "entropy"}},
            ["calibration method: percentile → entropy"],
        ),
        ("fine_tune", {"train": {"epochs": 1}}, {"train": {"epochs": 2}}, ["train.epochs: 1 → 2"]),
        ("export_onnx", {"row": {"opset": 18}}, {"row": {"opset": 20}}, ["opset: 18 → 20"]),
        (
            "calibrate",
            {"options": {"bins": 1}},
            {"options": {"preset": "a"}},
            ["option bins: 1 → absent", "option preset: absent → a"],
        ),
        ("measure", {"source": "a"}, {"source": "b"}, ["its code changed"]),
        ("fine_tune", {"versions": {"torch": "2.12.0"}}, {"versions": {"torch": "2.13.0"}}, ["torch 2.12.0 → 2.13.0"]),
        (
            "build_engine",
            {"library_version": "1.5.0.114", "row": {"library": "tensorrt_rtx", "version": "1.5.0.114"}},
            {"library_version": "1.6.1.120", "row": {"library": "tensorrt_rtx", "version": "1.6.1.120"}},
            ["TensorRT-RTX 1.5.0.114 → 1.6.1.120"],
        ),
        (
            "measure",
            {"library_version": "1.30.0", "backend": {"runner": "onnxruntime"}},
            {"library_version": "1.31.1", "backend": {"runner": "onnxruntime"}},
            ["ONNX Runtime 1.30.0 → 1.31.1"],
        ),
        ("measure", {"gpus": []}, {"gpus": [["A GPU", "580"]]}, ["GPU and driver: [] → [['A GPU', '580']]"]),
        ("measure", {"machine": {"cpu": "a"}}, {"machine": {"cpu": "b"}}, ["machine: cpu: a → b"]),
        ("measure", {"a": 1}, {"a": 1}, []),
    ],
)
def test_changed_settings_are_named_with_both_values(rule, before, now, expected):
    assert changed_settings(rule, before, now) == expected


@pytest.mark.parametrize(
    ("reasons", "only"),
    [
        (["follows artifacts/checkpoint"], True),
        (["follows artifacts/onnx/fp32", "its code changed"], False),
        (["not there: artifacts/onnx/fp32/model.onnx"], False),
    ],
)
def test_a_job_may_adopt_that_runs_for_others_sake_alone(reasons, only):
    assert PlannedJob("measure", "ort", tuple(reasons)).only_follows == only


@pytest.mark.parametrize(
    ("reasons", "margin", "expected"),
    [
        (("follows artifacts",), 0.06, ("analysis.latency_margin: 0.05 → 0.06", "follows artifacts")),
        ((SETTINGS_CHANGED,), 0.06, ("analysis.latency_margin: 0.05 → 0.06",)),
        (("not there: a",), 0.06, ("analysis.latency_margin: 0.05 → 0.06", "not there: a")),
        (("follows artifacts",), 0.05, ("follows artifacts",)),
        ((SETTINGS_CHANGED,), 0.05, (SETTINGS_CHANGED,)),  # something else that Snakemake saw
    ],
)
def test_a_changed_setting_is_named_whatever_else_the_job_runs_for(tmp_path, monkeypatch, reasons, margin, expected):
    monkeypatch.chdir(tmp_path)
    write_job_record(JobRecord("report", "", {"analysis": {"latency_margin": 0.05}}, {}, {}))
    job = Job("report", "", {"analysis": {"latency_margin": margin}}, (), (), ())
    assert in_words(PlannedJob("report", "", reasons), job).reasons == expected


def test_a_job_without_a_record_keeps_snakemakes_reasons(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = Job("report", "", {"analysis": {"latency_margin": 0.06}}, (), (), ())
    planned = PlannedJob("report", "", ("follows artifacts",))
    assert in_words(planned, job) == planned


def test_a_line_fits_the_terminal_and_its_reasons_stand_below_its_name():
    job = str(
        PlannedJob(
            "measure",
            "openvino-fp32",
            ("not there: artifacts/measurements/openvino-fp32.json", "follows data/prepared"),
        )
    )
    first, *others = wrapped(job, 60)
    assert first.startswith("  measure openvino-fp32: not there:")
    assert others
    assert all(line.startswith("      ") and len(line) <= 60 for line in others)
    assert " ".join(" ".join([first, *others]).split()) == job
