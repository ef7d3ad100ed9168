import json
import os

import pytest

from temper.errors import ArtifactError, ConfigError
from temper.report.filing import LEDGER, filed_files, filed_on, write_filed


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LEDGER
    }


@pytest.fixture
def goal(tmp_path):
    """A filed folder with a file of each kind of content, and a person's note."""
    folder = tmp_path / "results/gpu/tiny"
    assert write_filed(folder, {"params.yaml": b"a: 1\n", "searches/main/search.json": b"{}\n"}) == []
    (folder / "notes").mkdir()
    (folder / "notes/mine.md").write_text("mine")
    return folder


def test_filing_again_takes_the_place_of_what_was_filed_and_leaves_a_persons_file(goal):
    assert write_filed(goal, {"params.yaml": b"a: 2\n"}) == ["notes/mine.md"]
    assert content(goal) == {"params.yaml": "a: 2\n", "notes/mine.md": "mine"}
    assert [path.name for path in goal.parent.iterdir()] == ["tiny"]


@pytest.mark.parametrize("name", ["notes/mine.md", "params.yaml"])
def test_a_persons_file_in_the_way_is_replaced_by_force_alone(goal, name):
    (goal / name).write_text("a person's")
    before = content(goal)
    with pytest.raises(ConfigError) as caught:
        write_filed(goal, {"params.yaml": b"a: 2\n", "notes/mine.md": b"new"})
    assert name in caught.value.happened
    assert content(goal) == before
    write_filed(goal, {"params.yaml": b"a: 2\n", "notes/mine.md": b"new"}, force=True)
    assert content(goal) == {"params.yaml": "a: 2\n", "notes/mine.md": "new"}


def test_a_filed_file_that_a_person_changed_stays_where_none_takes_its_place(goal):
    (goal / "searches/main/search.json").write_text('{"a": 1}')
    assert write_filed(goal, {"params.yaml": b"a: 2\n"}) == ["notes/mine.md", "searches/main/search.json"]
    assert content(goal)["searches/main/search.json"] == '{"a": 1}'


def test_a_folder_made_by_hand_is_not_replaced(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/params.yaml").write_text("mine")
    assert filed_on(tmp_path / "x") is None
    with pytest.raises(ConfigError, match=r"names of new ones: params\.yaml") as caught:
        write_filed(tmp_path / "x", {"params.yaml": b"new"})
    assert "--force" in caught.value.fix
    assert (tmp_path / "x/params.yaml").read_text() == "mine"


def test_a_link_stays_a_link(goal):
    (goal / "link").symlink_to("params.yaml")
    write_filed(goal, {"params.yaml": b"a: 2\n"})
    assert os.readlink(goal / "link") == "params.yaml"


def test_new_records_are_not_withdrawn_with_the_old_ones(goal):
    (goal / "withdrawn.yaml").write_text("[]")
    with pytest.raises(ConfigError, match="would withdraw the new ones") as caught:
        write_filed(goal, {"params.yaml": b"a: 2\n"}, force=True)
    assert (goal / "params.yaml").read_text() == "a: 1\n"
    (goal / "withdrawn.yaml").rename(goal.parent / "withdrawn.yaml")  # what the fix says
    assert f"move {goal}/withdrawn.yaml away" in caught.value.fix
    write_filed(goal, {"params.yaml": b"a: 2\n"})


def test_the_day_stays_while_the_files_do(goal):
    ledger = json.loads((goal / LEDGER).read_text())
    (goal / LEDGER).write_text(json.dumps({**ledger, "date": "2020-01-01"}))
    write_filed(goal, {"params.yaml": b"a: 1\n", "searches/main/search.json": b"{}\n"})
    assert filed_on(goal) == "2020-01-01"
    write_filed(goal, {"params.yaml": b"a: 2\n"})
    assert filed_on(goal) > "2020-01-01"
    assert filed_files(goal).keys() == {"params.yaml"}


def test_a_kill_between_the_two_renames_loses_nothing(goal):
    goal.rename(goal.parent / ".tiny.replaced")
    assert write_filed(goal, {"params.yaml": b"a: 2\n"}) == ["notes/mine.md"]
    assert [path.name for path in goal.parent.iterdir()] == ["tiny"]


def test_a_broken_list_of_filed_files_is_an_error(goal):
    (goal / LEDGER).write_text("{")
    with pytest.raises(ArtifactError) as caught:
        write_filed(goal, {"params.yaml": b"a: 2\n"})
    assert caught.value.fix == f"git checkout -- {goal / LEDGER}"
