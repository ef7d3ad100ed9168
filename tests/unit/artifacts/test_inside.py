import os

import pytest

from temper.artifacts.inside import why_not_below, why_not_inside


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "folder"
    (made / "deep").mkdir(parents=True)
    (made / "file").write_text("x")
    (tmp_path / "other").write_text("x")
    (made / "inner").symlink_to("file")
    (made / "out").symlink_to("../other")
    (made / "loop").symlink_to("loop")
    os.mkfifo(made / "pipe.png")
    return made


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("file", None),
        ("inner", None),
        ("out", "leads out of"),
        ("../other", "leads out of"),
        ("/etc/passwd", "leads out of"),
        ("loop", "cannot be read"),
        ("pipe.png", "is no ordinary file"),
        ("deep", "is a folder"),
        ("none", "is not there"),
        ("n" * 300, "cannot be read"),
        ("a\0b", "cannot be read"),
    ],
)
def test_a_file_lies_in_a_folder_or_it_is_said_why_not(folder, name, words):
    why = why_not_inside(folder / name, folder)
    assert why is None if words is None else why is not None and words in why


def test_the_folder_itself_may_be_a_link(folder):
    (folder.parent / "link").symlink_to(folder)
    assert why_not_inside(folder.parent / "link/file", folder.parent / "link") is None


@pytest.mark.parametrize(
    ("path", "fine"),
    [
        ("data/raw/x.csv", True),
        ("data/raw/deep/x.csv", True),
        ("./data/raw/x.csv", True),
        ("data/raw", False),
        ("data/rawx/x.csv", False),
        ("data/raw/../../x.csv", False),
        ("/data/raw/x.csv", False),
        ("data/raw/a\0b", False),
        ("", False),
    ],
)
def test_a_written_path_is_below_its_folder(path, fine):
    assert (why_not_below(path, "data/raw") is None) is fine
