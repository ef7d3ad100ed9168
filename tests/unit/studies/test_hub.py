import pytest

from temper.errors import ArtifactError
from temper.studies.hub import checkpoint_folder, name_of


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub's cache, with one model; whatever else is asked is not there."""
    folder = tmp_path / "hub/models--one--model/snapshots/abc"
    folder.mkdir(parents=True)

    def download(name, allow_patterns, **_):
        if name != "one/model":
            raise OSError(f"404: {name}")
        (folder / "asked").open("a").write(f"{' '.join(allow_patterns)}\n")
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_folder_that_is_there_comes_before_the_hub(hub, tmp_path):
    (tmp_path / "one/model").mkdir(parents=True)
    assert checkpoint_folder("one/model") == tmp_path / "one/model"


def test_a_name_is_downloaded_and_keeps_its_name(hub):
    assert checkpoint_folder("one/model") == hub
    assert name_of(hub) == "one/model"


@pytest.mark.parametrize("prefix", ["hf_hub:", "hf-hub:"])
def test_a_name_as_timm_has_it_is_the_hubs(hub, prefix):
    assert checkpoint_folder(f"{prefix}one/model") == hub


@pytest.mark.parametrize("embeds", [True, False])
def test_the_pooling_of_an_embedder_is_downloaded_too(hub, embeds):
    if embeds:
        (hub / "modules.json").write_text("[]")
    checkpoint_folder("one/model")
    asked = (hub / "asked").read_text().splitlines()
    assert [line for line in asked if "Pooling" in line] == ["*Pooling/config.json"] * embeds


def test_a_name_that_the_hub_has_not_is_an_error(hub):
    with pytest.raises(ArtifactError) as caught:
        checkpoint_folder("one/modle")
    assert "the hub gave no model of that name: OSError: 404: one/modle" in caught.value.happened
    assert "--model" in caught.value.fix


@pytest.mark.parametrize("path", ["./one/model", "/no/such/folder", "a/b/c", "../one"])
def test_a_path_is_never_asked_of_the_hub(hub, path):
    assert checkpoint_folder(path).name == path.rpartition("/")[2]
