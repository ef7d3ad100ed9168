"""The graph of jobs: which kind of job reads what of which."""

from types import SimpleNamespace

from temper.report.page.making import job_graph


def _job(rule, inputs, outputs):
    return {"rule": rule, "inputs": dict.fromkeys(inputs, "0"), "outputs": dict.fromkeys(outputs, "0")}


def _lines(*jobs):
    beside = SimpleNamespace(jobs={str(number): job for number, job in enumerate(jobs)})
    return str(job_graph(SimpleNamespace(beside=beside))).count('class="edge"')


def test_a_way_that_comes_back_leaves_no_line_out():
    """The layer search reads an INT8 file and another INT8 file reads its answer: the engines still hang on those files."""
    jobs = [
        _job("export_onnx", [], ["onnx"]),
        _job("convert_precision", ["onnx"], ["int8"]),
        _job("build_engine", ["int8"], ["engine"]),
        _job("report", ["engine"], ["report"]),
    ]
    assert _lines(*jobs) == 3
    searching = [
        *jobs,
        _job("search_layers", ["int8"], ["found"]),
        _job("convert_precision", ["onnx", "found"], ["auto"]),
    ]
    assert _lines(*searching) == 5  # and the two between search and files


def test_what_a_longer_way_says_is_not_drawn():
    jobs = [
        _job("prepare_data", [], ["data"]),
        _job("fine_tune", ["data"], ["checkpoint"]),
        _job("report", ["data", "checkpoint"], ["report"]),
    ]
    assert _lines(*jobs) == 2
