"""A key in .dvc/config stops what would send or fetch, and is never said."""

import pytest

from temper.errors import ConfigError
from temper.orchestration.remote_keys import check_no_keys, secrets_in

CLEAN = """\
[core]
    remote = shared
['remote "shared"']
    url = s3://bucket/studies
    endpointurl = https://s3.example.org
    verify = true
"""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", []),
        ("    access_key_id = AKIA0", ["access_key_id"]),
        ("    secret_access_key = hidden\n    session_token=hidden", ["secret_access_key", "session_token"]),
        ("    password = hidden", ["password"]),
        ("    url = https://me:hidden@example.org/dvc", ["url"]),
        ("    url = https://me@example.org/dvc", []),
        ("    password =", []),
    ],
)
def test_entries_that_hold_a_secret_are_found_by_name(line, found):
    assert secrets_in(CLEAN + line + "\n") == found


def test_a_study_below_a_checkout_with_a_key_sends_nothing(tmp_path, monkeypatch):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "studies/mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "studies/mine")
    check_no_keys("push this study")
    (tmp_path / ".dvc/config").write_text(CLEAN)
    check_no_keys("push this study")
    (tmp_path / ".dvc/config").write_text(f"{CLEAN}    secret_access_key = very-hidden\n")
    with pytest.raises(ConfigError) as caught:
        check_no_keys("push this study")
    assert "secret_access_key" in caught.value.happened
    assert "--local" in caught.value.fix
    assert "very-hidden" not in str(caught.value)


def test_keys_that_git_leaves_out_are_where_they_belong(tmp_path, monkeypatch):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(CLEAN)
    (tmp_path / ".dvc/config.local").write_text("['remote \"shared\"']\n    secret_access_key = hidden\n")
    monkeypatch.chdir(tmp_path)
    check_no_keys("push this study")
