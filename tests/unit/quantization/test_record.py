"""search.json as its readers see it."""

import json

import pytest

from temper.artifacts.manifest import write_manifest
from temper.errors import ArtifactError
from temper.quantization.record import SEARCH_FILE, read_search


def test_what_was_written_is_read(tmp_path):
    write_manifest(tmp_path / SEARCH_FILE, kind="search", facts={"keep_in_float": ["a"]})
    assert read_search(tmp_path)["keep_in_float"] == ["a"]


def test_a_choice_edited_by_hand_is_refused(tmp_path):
    write_manifest(tmp_path / SEARCH_FILE, kind="search", facts={"keep_in_float": ["a"]})
    content = json.loads((tmp_path / SEARCH_FILE).read_text())
    (tmp_path / SEARCH_FILE).write_text(json.dumps({**content, "keep_in_float": []}))
    with pytest.raises(ArtifactError, match="altered since"):
        read_search(tmp_path)
