import pytest

from temper.errors import ConfigError
from temper.optimize.written import write_own


def test_what_a_person_wrote_or_changed_is_not_written_over(tmp_path):
    write_own(tmp_path, "search.md", "one")
    write_own(tmp_path, "search.md", "two")
    (tmp_path / "search.md").write_text("one", encoding="utf-8")  # a kill between the two writes
    write_own(tmp_path, "search.md", "three")
    (tmp_path / "search.md").write_text("mine", encoding="utf-8")
    (tmp_path / "params.yaml").write_text("mine", encoding="utf-8")
    for name in ("search.md", "params.yaml"):
        with pytest.raises(ConfigError) as caught:
            write_own(tmp_path, name, "four")
        assert f"mv {tmp_path / name}" in caught.value.fix
        assert (tmp_path / name).read_text(encoding="utf-8") == "mine"
