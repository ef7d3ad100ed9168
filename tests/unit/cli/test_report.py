import json
import shutil
from pathlib import Path

import pytest

from temper.cli import main
from tests.filed import file_study
from tests.records import record

SEARCH = Path(__file__).resolve().parents[3] / "results/cpu-2c/sst2-minilm-full/searches/main/search.json"


@pytest.fixture
def filed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file_study(Path("results/desk/tiny"), [record("base"), record("other", predictions=[0, 0, 1, 0])])
    return Path("results/desk/tiny")


def test_a_filed_study_is_written_as_a_page(filed, capsys):
    assert main(["report", "--filed", str(filed), "--no-browser"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("artifacts/pages/desk-tiny.html (0.")
    page = Path("artifacts/pages/desk-tiny.html").read_text()
    assert "not filed with the records" in page
    assert list(filed.iterdir()) == [path for path in filed.iterdir() if path.suffix != ".html"]


def test_each_search_for_layers_gets_a_page_of_its_own(filed, capsys):
    folder = filed / "searches/main"
    folder.mkdir(parents=True)
    shutil.copy(SEARCH, folder)
    assert main(["report", "--filed", str(filed), "--no-browser"]) == 0
    assert "artifacts/pages/desk-tiny-search-main.html (0." in capsys.readouterr().out
    page = Path("artifacts/pages/desk-tiny-search-main.html").read_text()
    search = json.loads(SEARCH.read_text())
    assert all(f"<td>{each['layer']['name']}</td>" in page for each in search["layers"])
    assert page.count('class="density own"') == len(search["layers"])
    assert f"Kept in float: {len(search['keep_in_float'])} of {len(search['layers'])} layers" in page


def test_two_filed_studies_are_held_against_each_other(filed):
    assert main(["report", "--filed", str(filed), "--against", str(filed), "--no-browser"]) == 0
    assert "The choice of every workload is the same." in Path("artifacts/pages/desk-tiny.html").read_text()


def test_the_browser_is_asked_to_open_it(filed, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address))  # None: it could not
    assert main(["report", "--filed", str(filed)]) == 0
    assert opened == [Path("artifacts/pages/desk-tiny.html").resolve().as_uri()]
    assert "open the file with one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "happened"),
    [
        (["--filed", "results/desk/absent"], "there is no folder results/desk/absent"),
        (["--filed", "results/desk/tiny", "--against", "results/desk"], "it holds neither filed records"),
        (["--directory", "results"], "results/params.yaml does not exist"),
    ],
)
def test_what_is_not_there_is_an_error_and_nothing_is_written(filed, capsys, arguments, happened):
    assert main(["report", *arguments, "--no-browser"]) == 1
    said = capsys.readouterr().err
    assert happened in said
    assert "fix:" in said
    assert not Path("artifacts").exists()


def test_a_study_that_was_not_run_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("study: tiny\n")
    assert main(["report", "--no-browser"]) == 1
    said = capsys.readouterr().err
    assert "asked:    show the report of this study as a page" in said
    assert "has not been run to its end" in said
