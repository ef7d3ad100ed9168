"""On the text of a dry run as the pinned Snakemake prints it; tests/workflow/test_plan.py asks Snakemake itself."""

import pytest

from temper.plan import PlannedJob, changed_params, parse_dry_run

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
        PlannedJob("export_onnx", "fp32-opset18", ("its code changed", "opset: 18 → 20")),
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
        (f"Updated input files: a; {UNION}before: 1 now: 2 ", ("changed: a", "1 → 2")),
    ],
)
def test_each_of_snakemakes_reasons_is_put_in_words(reason, expected):
    (job,) = parse_dry_run(f"Job 7: measure a\nReason: {reason}\n")
    assert job.reasons == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("before: {'epochs': 1, 'rate': 0.1} now: {'epochs': 2, 'rate': 0.1}", ["epochs: 1 → 2"]),
        ("before: {'a': {'b': [1, 2], 'c': 3}} now: {'a': {'b': [1, 3], 'c': 3}}", ["a.b: [1, 2] → [1, 3]"]),
        ("before: {'a': 1, 'gone': 2} now: {'a': 1, 'new': 3}", ["gone: 2 → absent", "new: absent → 3"]),
        ("before: '0123456789abcdef' now: 'fedcba9876543210'", ["its code changed"]),
        ("before: 3,'cpu' now: 4,'cuda'", ["3, cpu → 4, cuda"]),
        ("before: <nothing exclusive> now: 4", ["absent → 4"]),
        ("before: 4 now: <nothing exclusive>", ["4 → absent"]),
        ("before: <object at 1> now: <object at 2>", ["<object at 1> → <object at 2>"]),
        ("before: '1.24' now: '1.25'", ["1.24 → 1.25"]),
        ("in a form of another Snakemake", ["its settings changed"]),
    ],
)
def test_changed_settings_are_named_with_both_values_and_a_digest_is_code(text, expected):
    assert changed_params(text) == expected


def test_sections_are_paired_by_their_keys_whatever_snakemakes_order():
    text = (
        "before: {'bins': 128}, {'method': 'entropy', 'samples': 16, 'onnx': 'fp32'} "
        "now: {'method': 'nncf', 'samples': 16, 'onnx': 'fp32'}, {'preset': 'mixed'} "
    )
    assert changed_params(text) == ["method: entropy → nncf", "bins 128 → preset mixed"]
