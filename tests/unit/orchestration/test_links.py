import pytest

from temper.errors import StorageError
from temper.orchestration.links import check_no_links, links_here


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    study = tmp_path / "study"
    (study / "artifacts/jobs").mkdir(parents=True)
    (study / "data/prepared").mkdir(parents=True)
    (tmp_path / "disk").mkdir()
    monkeypatch.chdir(study)
    return study


def test_a_study_of_folders_has_no_links(folder):
    (folder / "artifacts/file.json").symlink_to(
        "nowhere"
    )  # a link among files: its digest says whether it is the job's
    assert links_here() == []
    check_no_links("run")


@pytest.mark.parametrize("place", ["artifacts/measurements", "artifacts/onnx/fp32", "data/prepared", "logs/measure"])
def test_a_folder_that_is_a_link_is_refused_with_where_it_leads(folder, place):
    if (folder / place).is_dir():
        (folder / place).rmdir()
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).symlink_to(folder.parent / "disk")
    with pytest.raises(StorageError) as caught:
        check_no_links("run")
    assert caught.value.happened.startswith(f"{place} is a link, to {folder.parent}/disk")
    assert caught.value.fix.startswith(f"rm {place} removes the link alone")


def test_the_whole_of_artifacts_may_lie_on_another_disk_and_not_in_another_study(folder):
    (folder / "artifacts/jobs").rmdir()
    (folder / "artifacts").rmdir()
    (folder / "artifacts").symlink_to(folder.parent / "disk")
    assert links_here() == []
    (folder.parent / "disk/params.yaml").touch()
    assert links_here() == ["artifacts"]
