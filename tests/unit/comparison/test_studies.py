"""Finished studies beside one another: what each chose on each machine."""

from temper.comparison import studies
from temper.comparison.studies import HEADER, Line, lines_of, matrix, print_studies, studies_page
from tests.unit.prediction import conftest as finished

finish = finished.finish  # writes a report of made-up records

ONE = Line("sst2", "cpu-small", "b1", "ort-int8", "within, win", "2.00 [1.9, 2.1]", "2.0", "1.0", "91.00")
TWO = Line("sst2", "gpu", "b1", "rtx-int8", "within, win", "5.00 [4.9, 5.1]", "1.0", "0.2", "91.00")
OTHER = Line("digits", "gpu", "b8", "none", why="nothing is within the budget")


def test_a_line_is_a_study_and_workload_and_a_column_is_a_machine():
    header, cells = matrix([ONE, TWO, OTHER])
    assert header == ["study", "workload", "cpu-small", "gpu"]
    assert cells == [
        ["sst2", "b1", "ort-int8: 2.00 [1.9, 2.1]", "rtx-int8: 5.00 [4.9, 5.1]"],
        ["digits", "b8", "–", "none: –"],
    ]


def test_the_page_has_every_figure_and_says_that_none_is_of_two_machines():
    page = studies_page([ONE, TWO, OTHER])
    for text in (*HEADER, "rtx-int8", "nothing is within the budget", "Figures of two machines"):
        assert text in page


def test_lines_are_of_the_studys_own_report_and_records(finish, tmp_path, capsys):
    finish(finished.candidate("base", 1.0), finished.candidate("quick", 0.5))
    (line, other) = lines_of(tmp_path)
    assert (line.workload, line.choice, line.speed) == ("b1", "quick", "2.00 [1.96, 2.04]")
    assert other.workload == "b8"
    print_studies([tmp_path])
    assert "quick" in capsys.readouterr().out


def test_on_a_narrow_terminal_a_table_stands_below_each_study_and_machine(monkeypatch, capsys):
    monkeypatch.setattr(studies, "studies_lines", lambda folders: [ONE, TWO, OTHER])
    monkeypatch.setattr(studies, "columns_here", lambda: 95)
    print_studies([])
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= 95
    assert [line for line in shown if ", on " in line] == ["sst2, on cpu-small", "sst2, on gpu", "digits, on gpu"]
    assert "2.00 [1.9, 2.1]" in shown[2]
    monkeypatch.setattr(studies, "columns_here", lambda: 400)
    print_studies([])
    assert capsys.readouterr().out.splitlines()[0].startswith("study   machine")


def test_where_a_table_of_the_workloads_has_no_room_no_figure_is_cut(monkeypatch, capsys):
    long = Line(
        "sst2", "cpu", "b1-s128", "torch-fp32", "within, undecided", "0.991 [0.719, 1.34]", "1755.9", "1755.9", "85.67"
    )
    monkeypatch.setattr(studies, "studies_lines", lambda folders: [long])
    monkeypatch.setattr(studies, "columns_here", lambda: 80)
    print_studies([])
    assert capsys.readouterr().out.splitlines() == [
        "sst2, on cpu",
        "  b1-s128: torch-fp32; within, undecided; 0.991 [0.719, 1.34] × its baseline;",
        "    baseline 1755.9 ms; choice 1755.9 ms; accuracy 85.67 %",
    ]


def test_a_study_without_a_report_says_why(tmp_path):
    (tmp_path / "params.yaml").write_text("study: none\n")
    (line,) = lines_of(tmp_path)
    assert (line.choice, line.machine) == ("no report", "–")
    assert "has not been run" in line.why


def test_studies_without_a_report_share_a_line(tmp_path, capsys):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "params.yaml").write_text("study: none\n")
    print_studies([tmp_path / "one", tmp_path / "two"])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("one, two: ")
    assert "has not been run" in line
