import json
from pathlib import Path

import pytest

from temper.cli import main
from temper.errors import ConfigError
from temper.studies.about import About, read_about
from temper.studies.listing import HEADER, listed, table

ROOT = Path(__file__).resolve().parents[3]
ABOUT = "title: What it shows\nneeds: {gpu: true, network: false, files: true}\nminutes: 7\n"


@pytest.fixture
def checkout(tmp_path):
    """Two studies and the embedded one; records of two machines."""
    for folder, name in ((".", "embedded"), ("studies/one", "one"), ("studies/two", "two")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "params.yaml").write_text(f"study: {name}\n")
        (tmp_path / folder / "about.yaml").write_text(ABOUT)
    for place, states in {"gpu/one": ["measured", "measured"], "cpu/one": ["measured", "not measured"]}.items():
        folder = tmp_path / "results" / place
        folder.mkdir(parents=True)
        file_states(folder, states)
    return tmp_path


def file_states(folder: Path, states: list[str]) -> None:
    (folder / "records.json").write_text(json.dumps({str(n): {"status": state} for n, state in enumerate(states)}))


def file_on(folder: Path, day: str) -> None:
    (folder / "filed.json").write_text(json.dumps({"format_version": 1, "date": day, "files": {}}))


def test_each_study_has_a_line_with_what_it_needs_and_what_was_measured_where(checkout):
    for machine, day in (("gpu", "2026-02-02"), ("cpu", "2026-03-03")):
        file_on(checkout / "results" / machine / "one", day)
    embedded, one, two = (study.cells() for study in listed(checkout))
    assert (embedded[0], one[0], two[0]) == ("params.yaml", "one", "two")
    assert one[1:3] == ("GPU, files", "about 7")
    newest, older = one[3].split("; ")
    assert newest == "cpu: 1 of 2 candidates, 2026-03-03"
    assert older == "gpu: 2 of 2 candidates, 2026-02-02"
    assert two[3] == embedded[3] == "not measured"
    assert len({len(line.split("  ")[0]) for line in table(listed(checkout))}) > 1
    assert table(listed(checkout))[0].split("  ")[0].strip() == HEADER[0]


def test_a_narrow_terminal_has_short_lines_and_nothing_is_left_out(checkout):
    lines = table(listed(checkout), 50)
    assert max(map(len, lines)) <= 50
    shown = " ".join(" ".join(lines).split())
    for study in listed(checkout):
        folder, needs, minutes, measured, shows = study.cells()
        assert f"{folder} {shows} needs {needs}; {minutes} minutes " in shown
        assert measured in shown
    assert table(listed(checkout), 500) == table(listed(checkout))


def test_the_newest_machine_comes_first(checkout):
    for machine, day in (("cpu", "2026-02-02"), ("gpu", "2026-03-03")):
        file_on(checkout / "results" / machine / "one", day)
    assert [filed.machine for filed in listed(checkout)[1].filed] == ["gpu", "cpu"]


def test_of_a_folder_made_by_hand_no_date_is_made_up(checkout):
    shown = "cpu: 1 of 2 candidates, without a date; gpu: 2 of 2 candidates, without a date"
    assert listed(checkout)[1].cells()[3] == shown


def test_a_machine_that_measured_nothing_is_left_out(checkout):
    file_states(checkout / "results/gpu/one", ["not measured"])
    assert "gpu" not in listed(checkout)[1].cells()[3]


def test_candidates_that_were_left_out_count(checkout):
    left_out = {"measure a": "it is not there", "measure b": "it is not there", "load_test c": "it is not there"}
    (checkout / "results/gpu/one/left_out.json").write_text(json.dumps(left_out))
    assert "gpu: 2 of 4 candidates" in listed(checkout)[1].cells()[3]
    (checkout / "results/gpu/one/left_out.json").write_text("{")
    assert "not a list of what was left out" in (listed(checkout)[1].broken or "")


def test_a_study_without_about_or_estimate_says_so(checkout):
    (checkout / "studies/one/about.yaml").unlink()
    assert listed(checkout)[1].cells()[1:][:2] == ("not said", "not estimated")
    (checkout / "studies/two/about.yaml").write_text(ABOUT.replace("7", "null"))
    assert listed(checkout)[2].cells()[2] == "not estimated"


@pytest.mark.parametrize(
    ("text", "happened"),
    [
        (ABOUT + "more: 1\n", "more: Extra inputs"),
        (ABOUT.replace("minutes: 7", "minutes: 0"), "minutes: "),
        (ABOUT.replace("gpu: true, ", ""), "needs.gpu: "),
        ("a: [", "while parsing"),
        ("", "valid dictionary"),
    ],
)
def test_another_form_of_about_is_refused(tmp_path, text, happened):
    (tmp_path / "about.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_about(tmp_path / "about.yaml")
    assert happened in caught.value.happened
    assert "about.yaml" in caught.value.asked


def test_a_title_with_a_colon_needs_quotes(tmp_path):
    file = tmp_path / "about.yaml"
    file.write_text(ABOUT.replace("What it shows", "What: it shows"))
    with pytest.raises(ConfigError) as caught:
        read_about(file)
    assert caught.value.fix.endswith("a title with a colon stands in quotes")
    file.write_text(ABOUT.replace("What it shows", "'What: it shows'"))
    assert read_about(file).title == "What: it shows"


def test_what_is_no_record_is_refused(checkout):
    (checkout / "results/cpu/one/records.json").write_text('{"a": {}}')
    assert "not a file of records" in (listed(checkout)[1].broken or "")


@pytest.mark.parametrize(
    ("text", "happened"),
    [("seed: 1\n", "study"), ("", "it holds no keys"), ("a: [\n", "YAML"), ("study: one\nstudy: two\n", "study")],
)
def test_a_broken_study_is_named_and_keeps_no_other_from_the_list(checkout, monkeypatch, capsys, text, happened):
    (checkout / "studies/one/params.yaml").write_text(text)
    monkeypatch.setattr("temper.orchestration.jobs.checkout_of", lambda _=".": checkout)
    monkeypatch.chdir(checkout)
    assert main(["studies"]) == 0
    out, said = capsys.readouterr()
    assert [line.split(" ")[0] for line in out.splitlines()] == ["study", "params.yaml", "one", "two"]
    assert said.startswith("one cannot be listed: ")
    assert happened in said
    assert said.endswith("; fix: temper check studies/one/params.yaml\n")
    assert main(["check", "studies/one/params.yaml"]) == 1
    checked = capsys.readouterr().err.partition("happened: ")[2].splitlines()[0]
    assert checked.split()[-1] in said


def test_every_study_of_this_repository_says_what_it_is():
    for study in listed(ROOT):
        assert isinstance(study.about, About), study.folder


def test_the_command_prints_a_line_for_each_study(capsys):
    assert main(["studies"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(listed(ROOT))
    assert lines[1].startswith("params.yaml ")
