"""Exit codes and errors, and commands that need no finished study; tests/workflow/test_commands.py runs all of them."""

import errno
import importlib
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from temper.cli import entry, main
from temper.measurement.record import write_record
from temper.report.render import write_summary
from tests.records import ANALYSIS, record

PARAMS = Path(__file__).resolve().parents[2] / "workflow/params.tiny.yaml"


@pytest.fixture
def study(tmp_path):
    """A study's folder that wants two outside files, and the folder that has them."""
    (tmp_path / "study").mkdir()
    (tmp_path / "study/raw.yaml").write_text("data/raw/x.csv: deep/there.csv\ndata/raw/y/z.csv: z.csv\n")
    (tmp_path / "outside/deep").mkdir(parents=True)
    (tmp_path / "outside/deep/there.csv").write_text("x")
    (tmp_path / "outside/z.csv").write_text("z")
    return tmp_path / "study"


def raw(study):
    return main(["raw", "--directory", str(study), "--from", str(study.parent / "outside")])


def test_raw_copies_each_source_to_its_target_and_leaves_nothing_else(study, capsys):
    assert raw(study) == 0
    files = {str(path.relative_to(study)): path.read_text() for path in study.rglob("*.csv")}
    assert files == {"data/raw/x.csv": "x", "data/raw/y/z.csv": "z"}
    assert not list(study.rglob(".*"))
    assert f"z.csv → {study / 'data/raw/y/z.csv'}" in capsys.readouterr().out


def test_raw_joins_a_list_of_files_line_by_line(study):
    (study / "raw.yaml").write_text("data/raw/both.csv: [deep/there.csv, z.csv]\n")
    assert raw(study) == 0
    assert (study / "data/raw/both.csv").read_text() == "x\nz\n"  # neither ends with a line's end of its own


def test_raw_names_what_is_missing_and_copies_nothing(study, capsys):
    (study.parent / "outside/z.csv").unlink()
    assert raw(study) == 1
    assert "outside/z.csv is not there" in capsys.readouterr().err
    assert not (study / "data").exists()


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        ("../../victim/x.py: z.csv\n", "'../../victim/x.py' is no path below data/raw/"),
        ("data/raw/../../params.yaml: z.csv\n", "is no path below data/raw/"),
        ("/tmp/victim.csv: z.csv\n", "is no path below data/raw/"),
        ("params.yaml: z.csv\n", "'params.yaml' does not lie below data/raw/"),
        ("data/raw/x.csv: /etc/passwd\n", "'/etc/passwd' is no path below ./"),
        ("data/raw/x.csv: ../secret\n", "'../secret' is no path below ./"),
        ("data/raw/x.csv: link\n", "link leads out of"),
        ("data/raw/x.csv: [z.csv, deep/linked/secret]\n", "leads out of"),
        ("data/raw/x.csv: deep\n", "deep is a folder"),
        ("data/raw/x.csv: pipe\n", "pipe is no ordinary file"),
        ("data/raw/out/x.csv: z.csv\n", "data/raw/out leads out of"),
        ("", "lists no files"),
        ("- a\n- b\n", "lists no files"),
        ("7\n", "lists no files"),
        ("data/raw/x.csv:\n", "has no source"),
        ("data/raw/x.csv: [3]\n", "has no source"),
        ("data/raw/x.csv: !!python/object/apply:os.system [touch ran]\n", "is not valid YAML"),
        ("data/raw/x.csv: 'caf\xe9'\n", "is not UTF-8"),
    ],
)
def test_raw_stays_in_its_folders_and_copies_nothing_of_a_list_that_leads_out(study, capsys, listing, words):
    outside = study.parent / "outside"
    (study.parent / "secret").write_text("secret")
    (outside / "link").symlink_to("../secret")
    (outside / "deep/linked").symlink_to("../..")
    os.mkfifo(outside / "pipe")
    (study / "data/raw").mkdir(parents=True)
    (study / "data/raw/out").symlink_to(outside)
    (study / "raw.yaml").write_bytes(listing.encode("latin-1"))
    before = sorted(study.parent.rglob("*"))
    assert raw(study) == 1
    error = capsys.readouterr().err
    assert words in error
    assert "affected: nothing was copied" in error
    assert sorted(study.parent.rglob("*")) == before


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_raw_writes_through_no_link_in_the_place_of_its_folder(study, capsys, force):
    elsewhere = study.parent / "elsewhere"
    elsewhere.mkdir()
    (study / "data").mkdir()
    (study / "data/raw").symlink_to(elsewhere)
    assert main(["raw", "--directory", str(study), "--from", str(study.parent / "outside"), *force]) == 1
    assert f"data/raw leads out of {study}/data/raw, to {elsewhere}" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


def test_raw_of_a_study_whose_data_lies_on_another_disk_writes_there(study):
    (study.parent / "disk").mkdir()
    (study / "data").symlink_to(study.parent / "disk")
    assert raw(study) == 0
    assert (study.parent / "disk/raw/x.csv").read_text() == "x"


def test_raw_of_a_folder_in_the_lists_place_is_an_error(study, capsys):
    (study / "raw.yaml").unlink()
    (study / "raw.yaml").mkdir()
    assert raw(study) == 1
    assert "raw.yaml is no file" in capsys.readouterr().err


def test_raw_of_a_study_without_a_list_is_an_error_in_four_parts(study, capsys):
    (study / "raw.yaml").unlink()
    assert raw(study) == 1
    error = capsys.readouterr().err
    assert error.startswith("DataError:")
    assert [line.split(":")[0].strip() for line in error.splitlines()[1:]] == ["asked", "happened", "affected", "fix"]


def test_table_prints_a_report_that_is_there_and_says_how_to_make_one_that_is_not(tmp_path, capfd):
    assert main(["table", "--directory", str(tmp_path)]) == 1
    assert "params.yaml does not exist" in capfd.readouterr().err
    (tmp_path / "params.yaml").write_text(PARAMS.read_text())
    assert main(["table", "--directory", str(tmp_path)]) == 1
    assert f"temper run -C {tmp_path}" in capfd.readouterr().err
    write_record(tmp_path / "base.json", record("base"))
    report = str(tmp_path / "artifacts/report")
    write_summary(
        study="tiny",
        baseline="base",
        analysis=ANALYSIS,
        engines={},
        records=[str(tmp_path / "base.json")],
        remeasurements=None,
        jobs=[],
        folder=report,
    )
    assert main(["table", "--directory", str(tmp_path)]) == 0
    assert "base" in capfd.readouterr().out


def test_check_counts_the_candidates_of_a_good_file(capsys):
    assert main(["check", str(PARAMS)]) == 0
    assert "closed schema holds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it holds no keys"),
        (PARAMS.read_text() + "\nunheard_of: 1\n", "unheard_of"),
        (PARAMS.read_text() + "\nseed: 1\n", "'seed' stands twice"),
    ],
    ids=["empty", "unknown key", "repeated key"],
)
def test_check_refuses_a_file_that_breaks_the_schema(tmp_path, capsys, text, message):
    (tmp_path / "params.yaml").write_text(text)
    assert main(["check", str(tmp_path / "params.yaml")]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("ConfigError:")
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "happened"),
    [
        ([], "Missing command"),
        (["unheard"], "No such command 'unheard'"),
        (["predct", "a film"], "Did you mean 'predict'?"),
        (["predict"], "Missing argument"),
        (["plan", "--unheard"], "No such option: --unheard"),
        (["plan", "more"], "unexpected extra argument"),
        (["job", "measure", "--cores", "many"], "--cores"),
        (["predict", "a film", "--batch-size", "0"], "--batch-size"),
        (["package", "--to", "x", "--for", "windows"], "--for"),
        (["predict", "a film", "--json", "--output", "x.tsv"], "--json and --output"),
    ],
)
def test_what_is_not_understood_is_an_error_in_four_parts_with_its_usage(arguments, happened, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("UsageError:")
    assert happened in error
    assert [line.split(":")[0].strip() for line in error.splitlines()[1:]] == ["asked", "happened", "affected", "fix"]
    assert "usage: temper" in error


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        (["raw", "-C", "a study"], "temper raw -C 'a study' --from DIR"),
        (["package"], "temper package --to FOLDER"),
        (["table", "studies/sst2-minilm"], "temper table -C studies/sst2-minilm"),
        (["plan", "studies/sst2-minilm"], "temper plan -C studies/sst2-minilm"),
    ],
)
def test_the_fix_is_the_command_that_was_meant(arguments, fix, capsys, monkeypatch):
    monkeypatch.chdir(Path(__file__).resolve().parents[3])
    assert main(arguments) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"  fix:      {fix}"


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        (["plan", "-C", "studies/sst2-minil"], "-C studies/sst2-minilm, if that is the one; temper studies lists all"),
        (["studies", "studies/sst2-minil"], "studies/sst2-minilm, if that is the one; temper studies lists all"),
        (["table", "--filed", "results/cpu-2c/sst2-minil"], "--filed results/cpu-2c/sst2-minilm"),
        (["report", "--filed", "results/cpu-2c-epyc"], "--filed results/cpu-2c-epyc/"),
    ],
)
def test_a_folder_that_is_near_to_what_was_typed_is_named(arguments, fix, capsys, monkeypatch):
    monkeypatch.chdir(Path(__file__).resolve().parents[3])
    assert main(arguments) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"  fix:      {fix}")


def test_check_takes_a_studys_folder(capsys, monkeypatch):
    monkeypatch.chdir(Path(__file__).resolve().parents[3])
    assert main(["check", "studies/sst2-minilm"]) == 0
    assert capsys.readouterr().out.startswith("studies/sst2-minilm/params.yaml: sst2-minilm, ")


def test_figures_draws_what_a_page_marks_beside_the_page(tmp_path, capsys):
    search = Path(__file__).resolve().parents[3] / "results/cpu-2c/sst2-minilm-full/searches/main"
    page = tmp_path / "page.md"
    page.write_text(f"<!-- layers plot of {search} -->\n![Each layer](figures/layers.svg)\n")
    assert main(["figures", str(page)]) == 0
    assert (tmp_path / "figures/layers.svg").read_text().startswith("<?xml")
    assert capsys.readouterr().out == f"{tmp_path}/figures/layers.svg: drawn from {search}\n"


def into(stdout):
    """`temper studies`, its output written there; exit code and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "temper.cli", "studies"], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_to_a_full_disk_is_an_error_in_its_parts():
    with open("/dev/full", "w") as full:
        code, said = into(full)
    assert code == 1
    assert said.startswith("StorageError:\n  asked:    run temper studies\n  happened: No space left on device")


@pytest.mark.parametrize(("error", "code"), [(MemoryError("12 GiB"), 1), (RuntimeError("a bug"), None)])
def test_memory_that_ran_out_is_an_error_in_its_parts_and_a_bug_is_none(monkeypatch, capsys, error, code):
    def fail(arguments):
        raise error

    monkeypatch.setattr(entry, "_ran", fail)
    if code is None:
        with pytest.raises(RuntimeError, match="a bug"):
            main(["studies"])
    else:
        assert main(["studies"]) == code
        said = "NoMemoryError:\n  asked:    run temper studies\n  happened: memory ran out: MemoryError: 12 GiB"
        assert capsys.readouterr().err.startswith(said)


def test_a_module_that_is_not_installed_is_an_error_in_its_parts(monkeypatch, capsys):
    monkeypatch.setattr(entry, "_ran", lambda arguments: importlib.import_module("no_such_library"))
    assert main(["studies"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("LibraryError:\n  asked:    run temper studies\n  happened: it needs the Python module")
    assert "no_such_library" in said


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_disk_that_takes_nothing_is_an_error_in_its_parts(monkeypatch, capsys, number):
    def fail(arguments):
        raise OSError(number, os.strerror(number), "kept.json")

    monkeypatch.setattr(entry, "_ran", fail)
    monkeypatch.setattr(entry, "_let_go_of_stdout", lambda: None)
    assert main(["forget"]) == 1
    said = f"StorageError:\n  asked:    run temper forget\n  happened: {os.strerror(number)}, of kept.json"
    assert capsys.readouterr().err.startswith(said)


def test_a_reader_that_has_enough_ends_it_without_a_word():
    read, write = os.pipe()
    os.close(read)
    try:
        assert into(write) == (141, "")
    finally:
        os.close(write)


def test_an_argument_that_is_not_utf_8_is_an_error_in_four_parts(capsys):
    assert main(["check", b"caf\xe9.yaml".decode("utf-8", "surrogateescape")]) == 1
    assert "it is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "n" * 300], "File name too long"),
        (["plan", "--directory", "n" * 300], "File name too long"),
        (["init", "n" * 300, "--yes"], "is no name for a folder"),
        (["results", "--directory", "FOLDER", "--machine", "nl\n"], "is no name for a folder"),
    ],
)
def test_names_that_no_disk_takes_are_errors_in_four_parts(tmp_path, capsys, arguments, words):
    (tmp_path / "params.yaml").touch()
    assert main([argument.replace("FOLDER", str(tmp_path)) for argument in arguments]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert [line.split(":")[0].strip() for line in error.splitlines()[1:]] == ["asked", "happened", "affected", "fix"]


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    stated = tomllib.loads((PARAMS.parents[2] / "pyproject.toml").read_text())["project"]["version"]
    assert capsys.readouterr().out == f"temper {stated}\n"


@pytest.mark.parametrize(
    ("typed", "happened"),
    [
        (["--minutes", "x"], "Invalid value for '--minutes': it has to be a valid number"),
        (["--batch-size", "0"], "Invalid value for '--batch-size': it has to be greater than or equal to 1"),
        (["--budget-points", "101"], "101 is above 100"),
        (["--minutes", "nan"], "nan is not above 0"),
        (["--cores", "0"], "'0' is neither a number above 0 nor 'all'"),
        (["--target", "speed"], "'speed' is not one of 'latency', 'throughput', 'cost'"),
    ],
)
def test_an_option_of_a_search_that_cannot_be_is_told_without_a_librarys_words(capsys, typed, happened):
    assert main(["optimize", *typed]) in (1, 2)
    said = capsys.readouterr().err
    assert happened in said
    assert "Value error" not in said
    assert "unable to parse" not in said


def test_what_tells_a_search_to_end_interrupts_it(capsys, monkeypatch, tmp_path):
    (tmp_path / "params.yaml").write_text("defaults: 1\n", encoding="utf-8")

    def search(*_):
        signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)  # libraries of other tests may have the signal itself
        raise AssertionError("it went on")

    monkeypatch.setattr("temper.optimize.optimize.optimize", search)
    assert main(["optimize", "-C", str(tmp_path)]) == 130
    assert "temper: interrupted" in capsys.readouterr().err
