"""Which rooms the code of each rule's jobs may reach: an edit elsewhere plans none of them anew (docs/decisions/0090)."""

import re
from functools import cache
from pathlib import Path

import pytest

from temper.environment import plugins
from temper.environment.machine import SOURCE_ROOT
from temper.environment.source_digest import source_files
from temper.orchestration.rule_code import digest_of, entries

ROOT = SOURCE_ROOT.parent
SCRIPTS = ROOT / "workflow/scripts"
READS_FILES = ("artifacts", "reading")
READS_ROWS = (*READS_FILES, "data.columns", "data.encoded", "data.examples", "tasks")
MAKES_ONNX = (*READS_FILES, "environment", "quantization")
TAKES_A_CHECKPOINT = (*READS_ROWS, "environment", "training", "study.sections.model")
RUNS = (*TAKES_A_CHECKPOINT, "backends", "engines", "lengths.packing", "lengths.trimming", "measurement")
SENDS_TOKENS = (
    "package.runtime.packing",
    "package.runtime.packing_compiled",
    "package.runtime.trimming",
)  # as a package does
ANSWERS_WITHOUT_PADDING = tuple(
    f"package.runtime.unpadded{part}" for part in ("", "_attention", "_fp8", "_fp8_kernels", "_network", "_place")
)
REPORTS = ("backends", "environment", "lengths.buckets.record", "load_test", "measurement", "orchestration", "study")
# by rule: the kinds of modules that params.yaml chooses for it, and the rooms, or parts of them, that its jobs' code may reach
REACHES = {
    "prepare_data": (("data",), (*READS_ROWS, "data", "study.sections.model")),
    "fine_tune": (("training",), TAKES_A_CHECKPOINT),
    "export_onnx": ((), (*TAKES_A_CHECKPOINT, "export")),
    "calibrate": (("calibration",), (*READS_ROWS, *MAKES_ONNX)),
    "search_layers": ((), (*READS_ROWS, *MAKES_ONNX, "study.sections.searches")),
    "convert_precision": (
        ("steps",),
        (
            *MAKES_ONNX,
            "transforms",
            "lengths.packing",
            "package.runtime.packing",
            "package.runtime.packing_compiled",
            "study.sections.searches",
        ),
    ),
    "train_quantized": ((), (*TAKES_A_CHECKPOINT, "export", "quantization", "study.sections.quantization_aware")),
    "choose_buckets": ((), (*READS_ROWS, "lengths.buckets", "study.sections.buckets")),
    "build_engine": (("engines",), (*READS_FILES, "environment", "engines", "lengths.buckets.record")),
    "measure": (("backends",), (*RUNS, *SENDS_TOKENS, *ANSWERS_WITHOUT_PADDING, "statistics")),
    "remeasure": (("backends",), (*RUNS, *SENDS_TOKENS, *ANSWERS_WITHOUT_PADDING, "statistics", "evaluation")),
    "load_test": (
        ("backends", "through"),
        (*RUNS, "data", "load_test", "package", "prediction.preprocessing", "study.names", "study.sections.load_tests"),
    ),
    "report": ((), (*READS_ROWS, *REPORTS, "evaluation", "report", "statistics")),
}
TIMED = ("measure", "remeasure", "load_test", "report")
JUDGES = ("statistics", "evaluation", "report", "comparison", "measurement", "backends", "orchestration")
THROUGH = ["http", "triton"]


def names(kind: str) -> list[str]:
    return THROUGH if kind == "through" else plugins.names(kind)


@cache
def reached(rule: str) -> set[str]:
    """Modules below temper that jobs of a rule may have among their code, whatever params.yaml chooses; no __init__.py."""
    kinds, _ = REACHES[rule]
    choices = tuple((kind, name) for kind in kinds for name in names(kind))
    files = {
        file
        for labels in plugins.names("tasks")
        for file in source_files(*entries(SCRIPTS / f"{rule}.py", choices, labels))
    }
    package = SOURCE_ROOT / "temper"
    found = {file.relative_to(package).with_suffix("") for file in files if file.is_relative_to(package)}
    return {".".join(each.parts) for each in found if each.name != "__init__"}


def lies_in(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def test_every_rule_that_tracks_its_code_is_in_the_table_with_what_it_chooses():
    chosen = {}
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        for rule, rest in re.findall(r'digest_of\(\s*"(\w+)\.py"((?s:.*?))\n    (?:\w+:|threads)', file.read_text()):
            chosen[rule] = set(re.findall(r'\("(\w+)", ', rest))
    assert chosen.keys() == REACHES.keys()
    for rule, kinds in chosen.items():
        assert kinds <= set(REACHES[rule][0]), rule
    assert sorted(file.stem for file in (SOURCE_ROOT / "temper/package/through").glob("[!_]*.py")) == THROUGH


@pytest.mark.parametrize("rule", REACHES)
def test_a_rule_s_code_reaches_these_rooms_and_no_others(rule):
    rooms = REACHES[rule][1]
    assert [module for module in sorted(reached(rule)) if not lies_in(module, rooms)] == []
    unused = [room for room in set(rooms) if not any(lies_in(module, (room,)) for module in reached(rule))]
    assert unused == [], "rooms that it does not reach"


@pytest.mark.parametrize("rule", sorted(REACHES.keys() - set(TIMED)))
def test_no_job_that_makes_something_depends_on_how_that_is_judged(rule):
    assert [module for module in sorted(reached(rule)) if lies_in(module, JUDGES)] == []


@pytest.mark.parametrize("rule", ["measure", "remeasure", "load_test"])
def test_no_measurement_depends_on_how_it_is_shown_or_compared(rule):
    assert [module for module in sorted(reached(rule)) if lies_in(module, ("report", "comparison", "optimize"))] == []


@pytest.mark.parametrize("module", ["runtime.batching", "runtime.model", "runtime.text", "triton_model"])
def test_a_load_test_of_a_server_depends_on_what_answers_in_it(module):
    assert f"package.{module}" in reached("load_test")


def test_the_task_of_the_data_is_code_of_those_rules_alone_whose_code_asks_for_it():
    def chosen(rule: str) -> list[str]:
        return [str(each) for each in entries(SCRIPTS / f"{rule}.py", (), "score")[1:]]

    assert chosen("prepare_data") == ["temper.tasks.score"]
    assert chosen("report") == ["temper.tasks.score", "temper.evaluation.score"]
    assert chosen("build_engine") == []
    assert digest_of(SCRIPTS / "report.py", (), None) == digest_of(SCRIPTS / "report.py", (), "single_label")
    assert digest_of(SCRIPTS / "report.py", (), None) != digest_of(SCRIPTS / "report.py", (), "score")


def test_the_rules_scripts_lie_where_the_table_looks():
    assert {Path(file).stem for file in SCRIPTS.glob("*.py")} == REACHES.keys() | {"read_machine"}
