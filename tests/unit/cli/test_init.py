"""The command as a person types it: what is not given is asked, one line after the other."""

import io

import pytest

from temper.cli import main
from temper.studies import create
from temper.study.resolve import load_resolved
from tests.unit.studies.conftest import checkout, checkpoint, data, left, saved

__all__ = ["checkout", "checkpoint", "data", "saved"]  # fixtures


@pytest.fixture
def type_in(checkout, monkeypatch, capsys):
    """Runs the command in the checkout with these lines on its standard input."""
    (checkout / "src/temper").mkdir(
        parents=True, exist_ok=True
    )  # else it is no checkout, and the one around this file would be taken
    (checkout / "Snakefile").touch()
    monkeypatch.chdir(checkout)

    def run(*arguments, typed=(), code=0):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in typed)))
        assert main(["init", *map(str, arguments)]) == code
        return capsys.readouterr()

    return run


def test_everything_may_be_asked(type_in, checkout, checkpoint, data):
    answers = ["mine", checkpoint, data, "label", "mark", "", "", "no", "", "15", "32", "no"]  # 'label' is no column
    said = type_in("--ask", typed=answers)
    content = load_resolved(checkout / "studies/mine/params.yaml")
    assert (content["data"]["label"], content["data"]["max_tokens"]) == ("mark", 32)
    assert len((checkout / "studies/mine/data/raw/test.tsv").read_text().splitlines()) == 16
    assert "there is no 'label'; there are 'review', 'mark'" in said.err
    assert "name of the study: " in said.err
    assert said.out.splitlines()[-1] == "run it:     temper run -C studies/mine"


def test_everything_may_be_given(type_in, checkout, checkpoint, data):
    flags = ["--model", checkpoint, "--data", data, "--label-column", "mark", "--text-column", "review"]
    said = type_in("mine", *flags, "--test-rows", 15, "--max-tokens", 32, "--fine-tune", "no", "--gpu", "no")
    assert said.out.splitlines()[-1] == "run it:     temper run -C studies/mine"
    assert main(["check", "studies/mine/params.yaml"]) == 0


def test_what_to_type_next_is_right_where_the_person_stands(type_in, checkout, checkpoint, data, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    said = type_in("mine", "--model", checkpoint, "--data", data, "--fine-tune", "no", "--gpu", "no", "-C", checkout)
    run_it = said.out.splitlines()[-1]
    folder = run_it.rpartition(" ")[2]
    assert run_it == f"run it:     temper run -C {folder}"
    assert (elsewhere / folder).resolve() == (checkout / "studies/mine").resolve()
    assert main(["check", f"{folder}/params.yaml"]) == 0


def test_where_nobody_answers_the_missing_flag_is_named(type_in, checkout):
    said = type_in("mine", code=1)
    assert said.err.splitlines()[-1].strip() == "fix:      give --model"
    assert left(checkout) == []


def test_a_refusal_has_four_parts_and_leaves_nothing(type_in, checkout, checkpoint, data):
    said = type_in("mine", "--model", checkpoint, "--data", data, "--label-column", "none", code=1)
    error = said.err[said.err.index("ConfigError") :]
    assert [line.split(":")[0].strip() for line in error.splitlines()[1:]] == ["asked", "happened", "affected", "fix"]
    assert left(checkout) == []


def test_ctrl_c_is_no_traceback_and_says_what_is_left_to_do(type_in, checkout, checkpoint, data, monkeypatch):
    def interrupted(*arguments, **words):
        raise KeyboardInterrupt

    (checkout / ".dvc").mkdir()
    monkeypatch.setattr("temper.orchestration.dvc.ask_dvc", interrupted)
    said = type_in("mine", "--model", checkpoint, "--data", data, code=130)
    assert said.err.splitlines()[-2].endswith(
        "studies/mine is there, and DVC does not track its files yet: dvc add data/raw in that folder"
    )
    assert said.err.splitlines()[-1] == "temper: interrupted"
    assert left(checkout) == ["mine"]


def test_what_can_be_found_out_is_not_asked(type_in, checkout, checkpoint, data):
    said = type_in("mine", "--model", checkpoint, "--data", data)
    assert "yes/no" not in said.err
    assert "test rows to draw" not in said.err
    assert "studies/mine/params.yaml" in said.out
    lines = (checkout / "studies/mine/params.yaml").read_text().splitlines()
    assert lines[0].startswith("# yaml-language-server: $schema=")
    assert "recipe: quick" in "\n".join(lines)
    assert len(lines) < 40  # a screen


def test_a_name_that_is_taken_may_be_taken_anew_where_all_of_it_is_tempers(type_in, checkout, checkpoint, data):
    given = ("mine", "--model", checkpoint, "--data", data)
    type_in(*given)
    study = checkout / "studies/mine"
    assert "--force puts the new one in its place" in type_in(*given, code=1).err
    (study / "notes.md").write_text("mine")
    with (study / "params.yaml").open("a") as file:
        file.write("# mine too\n")
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    said = type_in(*given, "--force", code=1)
    assert "holds what is not as Temper wrote it: notes.md, params.yaml" in said.err
    assert {path: path.read_bytes() for path in study.rglob("*") if path.is_file()} == before
    (study / "notes.md").unlink()
    (study / "params.yaml").write_bytes(before[study / "params.yaml"].removesuffix(b"# mine too\n"))
    said = type_in("mine", "--model", checkpoint, "--data", data, "--max-tokens", 16, "--force")
    assert "replaced:   " in said.out
    assert load_resolved(study / "params.yaml")["data"]["max_tokens"] == 16
    assert left(checkout) == ["mine"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("params.yaml", "# a row of mine\n"),
        ("raw.yaml", "# mine\n"),
        ("about.yaml", "# mine\n"),
        ("README.md", "what I found\n"),
        ("data/raw/more.tsv", "review\tmark\n"),
        ("data/raw/train.tsv", "good\tpositive\n"),
        ("data/raw/checkpoint/config.json", " "),
        ("notebooks/look.py", "print()\n"),
    ],
)
def test_nothing_a_person_made_or_changed_is_overwritten(type_in, checkout, checkpoint, data, tmp_path, file, text):
    (tmp_path / "test.tsv").write_bytes(data.read_bytes())
    given = ("mine", "--model", checkpoint, "--data", data, "--test", tmp_path / "test.tsv")
    type_in(*given)
    path = checkout / "studies/mine" / file
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as stream:
        stream.write(text)
    before = path.read_bytes()
    said = type_in(*given, "--force", code=1).err
    assert f"holds what is not as Temper wrote it: {file}" in said
    assert "move that elsewhere, then the same command again; or choose another name" in said
    assert path.read_bytes() == before


def test_what_is_changed_while_the_new_one_is_made_stays(type_in, checkout, checkpoint, data, monkeypatch):
    type_in("mine", "--model", checkpoint, "--data", data)
    params = checkout / "studies/mine/params.yaml"

    def edited(folder, *arguments):
        params.write_text("mine\n")
        return written(folder, *arguments)

    written = create.write_beside
    monkeypatch.setattr(create, "write_beside", edited)
    said = type_in("mine", "--model", checkpoint, "--data", data, "--force", code=1).err
    assert "holds what is not as Temper wrote it: params.yaml" in said
    assert params.read_text() == "mine\n"
    assert (params.parent / "data/raw/train.tsv").is_file()
    assert left(checkout) == ["mine"]


def test_a_mistake_in_the_new_one_leaves_the_old_one(type_in, checkout, checkpoint, data):
    type_in("mine", "--model", checkpoint, "--data", data)
    before = (checkout / "studies/mine/params.yaml").read_text()
    type_in("mine", "--model", checkpoint, "--data", data, "--label-column", "none", "--force", code=1)
    assert (checkout / "studies/mine/params.yaml").read_text() == before
