from importlib import metadata

import pytest

from temper.errors import ArtifactError
from temper.orchestration.kept_versions import FILE, made_with, read_kept_versions, write_kept_versions

KEPT = {"fine_tune": {"": {"torch": "1.0"}}}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_is_kept_where_there_is_no_file():
    assert read_kept_versions() == {}


def test_what_is_kept_is_read_back_and_keeping_nothing_removes_the_file(folder):
    write_kept_versions(KEPT)
    assert read_kept_versions() == KEPT
    write_kept_versions({})
    assert not (folder / FILE).exists()


@pytest.mark.parametrize("text", ["", "[]", '{"fine_tune": 3}'])
def test_another_file_of_that_name_is_an_error(folder, text):
    (folder / FILE).write_text(text)
    with pytest.raises(ArtifactError, match="temper forget"):
        read_kept_versions()


def test_a_kept_version_stands_in_for_the_installed_one_of_its_job_only():
    here = metadata.version("pytest")
    assert made_with({"a": {"": {"pytest": "0"}}}, "a", "", "pytest") == {"pytest": "0"}
    assert made_with({"a": {"": {"pytest": "0"}}}, "b", "", "pytest") == {"pytest": here}
    assert made_with({}, "a", "", "no-such-thing") == {"no-such-thing": "not installed"}


def test_a_runtimes_version_makes_no_file_anew():
    assert made_with({}, "convert_precision", "int8", "onnxruntime", "openvino") == {}
