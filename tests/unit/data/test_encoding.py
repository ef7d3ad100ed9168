import json

import pytest

from temper.data.encoding import save_files
from temper.errors import ArtifactError


class Saved:
    """What transformers would save."""

    def save_pretrained(self, folder):
        content = {
            "size": 8,
            "name_or_path": "/somewhere",
            "processor_class": "Own",
            "vocab_file": "/else",
            "do_resize": True,
        }
        with open(f"{folder}/preprocessor_config.json", "w") as file:
            json.dump(content, file)
        with open(f"{folder}/other.json", "w") as file:
            file.write("{}")


def test_files_of_the_task_are_kept_without_what_says_where_they_came_from(tmp_path):
    save_files(Saved(), "image-classification", tmp_path / "made")
    assert [file.name for file in (tmp_path / "made").iterdir()] == ["preprocessor_config.json"]
    assert json.loads((tmp_path / "made/preprocessor_config.json").read_text()) == {"do_resize": True, "size": 8}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"], ids=["NaN", "infinity", "half a letter"])
def test_settings_that_are_no_json_are_refused_in_words(tmp_path, value):
    class Odd(Saved):
        def save_pretrained(self, folder):
            with open(f"{folder}/preprocessor_config.json", "w") as file:
                json.dump({"size": value}, file)

    with pytest.raises(ArtifactError) as caught:
        save_files(Odd(), "image-classification", tmp_path / "made")
    assert caught.value.asked == "keep the settings of the preprocessor, preprocessor_config.json"
    assert not (tmp_path / "made").exists()
