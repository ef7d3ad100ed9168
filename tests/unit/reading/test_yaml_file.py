import os

import pytest

from temper.errors import ArtifactError, ConfigError
from temper.reading.bounded import Unreadable
from temper.reading.yaml_file import parse_yaml, read_yaml
from temper.report.withdrawn import read_withdrawn
from temper.studies.about import read_about

BOMB = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


def test_it_is_version_1_2_without_tags():
    assert parse_yaml("a: [no, 010, 2e-5, 2026-11-30]\n") == {"a": ["no", 10, 2e-05, "2026-11-30"]}
    with pytest.raises(Unreadable, match="could not determine a constructor"):
        parse_yaml("a: !!python/object/apply:os.system [ls]\n")


def test_every_file_of_yaml_has_the_same_bounds(tmp_path):
    (tmp_path / "about.yaml").write_text(BOMB)
    (tmp_path / "withdrawn.yaml").write_text(BOMB)
    with pytest.raises(ConfigError, match="stand for more than"):
        read_about(tmp_path / "about.yaml")
    with pytest.raises(ArtifactError, match="stand for more than"):
        read_withdrawn(tmp_path, [], [])
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(Unreadable, match="a pipe"):
        read_yaml(tmp_path / "pipe.yaml")
