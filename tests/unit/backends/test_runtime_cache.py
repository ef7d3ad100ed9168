from pathlib import Path
from types import SimpleNamespace

import pytest

from temper.backends.runtime_cache import RuntimeCache, cache_file
from tests.fake_gpu import FakeRuntimeCache


@pytest.fixture
def config():
    return SimpleNamespace(create_runtime_cache=FakeRuntimeCache, set_runtime_cache=lambda cache: True)


def kept(path, config):
    cache = RuntimeCache(path)
    cache.attach(config)
    cache.save()
    return cache


def test_its_name_says_engine_version_and_gpu_and_it_is_in_no_artifacts_folder():
    gpu = ("NVIDIA H100 80GB HBM3", "00010203c0ffee")
    path = cache_file(Path("artifacts/engines/int8"), "0123456789abcdef0123", "1.6.1.120", *gpu)
    assert path == Path("artifacts/runtime_cache/0123456789abcdef-1.6.1.120-NVIDIA-H100-80GB-HBM3-00010203.bin")
    assert cache_file(Path("somewhere/engine"), "0", "1", "g", "0").parent == Path("somewhere/runtime_cache")


def test_each_gpu_of_a_kind_has_a_file_of_its_own():
    one, other = (cache_file(Path("artifacts/engines/a"), "0", "1", "NVIDIA H200", uuid) for uuid in ("aa", "bb"))
    assert one != other


def test_what_was_saved_is_found(tmp_path, config):
    assert kept(tmp_path / "deep/a.bin", config).found is False
    assert kept(tmp_path / "deep/a.bin", config).found is True


def test_it_is_not_written_again_where_nothing_was_added(tmp_path, config):
    kept(tmp_path / "a.bin", config)
    (tmp_path / "a.bin").chmod(0o444)
    before = (tmp_path / "a.bin").stat().st_ino
    kept(tmp_path / "a.bin", config)
    assert (tmp_path / "a.bin").stat().st_ino == before


@pytest.mark.parametrize("spoil", [lambda text: text[:-3], lambda text: b"", lambda text: text[:-1] + b"?"])
def test_a_broken_file_never_reaches_the_library_and_is_replaced(tmp_path, config, capsys, spoil):
    path = tmp_path / "a.bin"
    kept(path, config)
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    asked = []
    config.create_runtime_cache = lambda: SimpleNamespace(
        deserialize=lambda blob: asked.append(blob), serialize=lambda: FakeRuntimeCache().serialize()
    )
    assert kept(path, config).found is False
    assert asked == []
    assert "a.bin is broken: ignored" in capsys.readouterr().out
    assert path.read_bytes() == whole


def test_a_file_of_another_environment_is_ignored_with_a_message(tmp_path, config, capsys):
    path = tmp_path / "a.bin"
    kept(path, config)
    config.create_runtime_cache = lambda: SimpleNamespace(deserialize=lambda blob: False, serialize=lambda: b"new")
    assert kept(path, config).found is False
    assert "of another environment: ignored" in capsys.readouterr().out
    assert path.read_bytes().endswith(b"new")


def test_a_folder_that_cannot_be_written_is_a_message(tmp_path, config, capsys):
    (tmp_path / "file").write_text("no folder")
    kept(tmp_path / "file/a.bin", config)
    assert "the runtime cache could not be kept" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
