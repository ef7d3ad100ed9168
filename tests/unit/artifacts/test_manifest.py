import json
from pathlib import Path

import pytest

from temper.artifacts.manifest import (
    canonical_json,
    copy_files,
    read_manifest,
    sha256,
    staged_folder,
    write_manifest,
    write_text,
)
from temper.errors import ArtifactError


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """An artifact of two files."""
    with staged_folder(tmp_path / "made") as scratch:
        (scratch / "weights.bin").write_bytes(bytes(range(100)))
        (scratch / "config.json").write_text("{}")
        write_manifest(scratch / "made.json", kind="checkpoint", facts={"seed": 3}, inputs={"data_card": "abc"})
    return tmp_path / "made"


def test_what_was_written_is_read_again(artifact):
    content = read_manifest(artifact / "made.json", kind="checkpoint")
    assert content["seed"] == 3
    assert content["made_from"] == {"data_card": "abc"}
    assert set(content["files"]) == {"weights.bin", "config.json"}
    assert content["files"]["weights.bin"] == {"sha256": sha256(artifact / "weights.bin"), "size_bytes": 100}


def test_the_digest_is_sha_256(tmp_path):
    (tmp_path / "abc").write_text("abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(b"\1" + path.read_bytes()[1:]), "weights.bin (100 bytes) is not the file"),
        (lambda path: path.write_bytes(path.read_bytes()[:40]), "weights.bin (40 bytes) is not the file"),
        (lambda path: path.unlink(), "weights.bin is missing"),
    ],
    ids=["altered", "truncated", "missing"],
)
def test_a_spoiled_file_is_named_with_the_way_to_make_it_anew(artifact, spoil, message):
    spoil(artifact / "weights.bin")
    with pytest.raises(ArtifactError) as caught:
        read_manifest(artifact / "made.json", kind="checkpoint")
    assert message in caught.value.happened
    assert caught.value.fix.startswith("temper sync: puts it back")


def test_only_the_files_to_verify_are_read(artifact):
    (artifact / "weights.bin").unlink()
    read_manifest(artifact / "made.json", kind="checkpoint", verify=["config.json"])
    with pytest.raises(ArtifactError, match=r"KeyError: 'absent\.bin'"):
        read_manifest(artifact / "made.json", kind="checkpoint", verify=["absent.bin"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "does not exist"),
        ("{", "is not a manifest of this version (it is no JSON"),
        ("[]", "is not a manifest of this version (it holds a list"),
        ("{}", "is not a manifest of this version (KeyError: 'kind')"),
        ('{"kind": "engine", "format_version": 1, "files": {}}', "describes 'engine' in format 1, not 'checkpoint'"),
        ('{"kind": "checkpoint", "format_version": 9, "files": {}}', "in format 9, not 'checkpoint' in format 1"),
    ],
)
def test_what_is_no_manifest_of_this_kind_is_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "made.json").write_text(text)
    with pytest.raises(ArtifactError) as caught:
        read_manifest(tmp_path / "made.json", kind="checkpoint")
    assert message in caught.value.happened


def test_equal_work_in_two_folders_gives_equal_manifests(tmp_path):
    for name in ("one", "two/deep"):
        with staged_folder(tmp_path / name) as scratch:
            (scratch / "inner").mkdir()
            (scratch / "inner/file").write_text("x")
            write_manifest(scratch / "m.json", kind="data", facts={"b": 1, "a": 2})
    assert (tmp_path / "one/m.json").read_bytes() == (tmp_path / "two/deep/m.json").read_bytes()
    assert list(json.loads((tmp_path / "one/m.json").read_text())["files"]) == ["inner/file"]


def test_an_exception_leaves_nothing(tmp_path):
    def stop():
        with staged_folder(tmp_path / "made") as scratch:
            (scratch / "half").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert list(tmp_path.iterdir()) == []


def test_an_exception_leaves_the_earlier_artifact_as_it_was(artifact):
    def stop():
        with staged_folder(artifact) as scratch:
            (scratch / "weights.bin").write_text("half")
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        stop()
    read_manifest(artifact / "made.json", kind="checkpoint")
    assert [path.name for path in artifact.parent.iterdir()] == ["made"]


def test_text_is_written_whole_or_not_at_all(tmp_path):
    write_text(tmp_path / "folder/file.json", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "folder/file.json", "new \ud800")
    assert (tmp_path / "folder/file.json").read_text() == "old"
    assert len(list((tmp_path / "folder").iterdir())) == 1
    write_text(tmp_path / "folder/file.json", "new")
    assert (tmp_path / "folder/file.json").read_text() == "new"


def test_json_is_equal_for_equal_values_and_holds_no_nan():
    assert canonical_json({"b": [1.5], "a": "é"}) == '{\n  "a": "é",\n  "b": [\n    1.5\n  ]\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})


def test_named_files_are_copied_and_no_others(artifact, tmp_path):
    copy_files(["config.json"], artifact, tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["config.json"]


def test_a_fact_edited_in_the_manifest_itself_is_an_error(tmp_path):
    write_manifest(tmp_path / "cache.json", kind="calibration", facts={"ranges": {"relu": [0.0, 6.25]}})
    manifest = tmp_path / "cache.json"
    assert read_manifest(manifest, kind="calibration")["ranges"] == {"relu": [0.0, 6.25]}
    manifest.write_text(manifest.read_text().replace("6.25", "9.25"))
    with pytest.raises(ArtifactError) as caught:
        read_manifest(manifest, kind="calibration")
    assert "altered since" in caught.value.happened
