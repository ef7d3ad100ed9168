"""Keys of a remote belong into no file that git keeps: .dvc/config is pushed with the first commit, and stays in its history."""

import re
from pathlib import Path

from temper.errors import ConfigError

CONFIG = ".dvc/config"
# what DVC's remotes call what nobody else may know (dvc.org/doc/user-guide/data-management/remote-storage)
SECRET = (
    *("access_key_id", "secret_access_key", "session_token", "sse_customer_key"),  # S3
    *("account_key", "sas_token", "connection_string", "client_secret"),  # Azure
    *("password", "token", "custom_auth_header"),  # HTTP, WebDAV, SSH
    *("oss_key_id", "oss_key_secret", "gdrive_client_secret", "gdrive_service_account_json"),
)
_ENTRY = re.compile(r"^\s*(?P<key>\w+)\s*=\s*(?P<value>\S.*)$", re.MULTILINE)
_IN_ADDRESS = re.compile(r"^\w+://[^/@\s]+:[^/@\s]+@")


def secrets_in(text: str) -> list[str]:
    """Names of the entries of a DVC configuration that hold a secret, in their order; an address with a password is one.

    Args:
        text: of the file.
    """
    found = []
    for entry in _ENTRY.finditer(text):
        if entry["key"].lower() in SECRET or _IN_ADDRESS.match(entry["value"].strip("'\"")):
            found.append(entry["key"])
    return list(dict.fromkeys(found))


def check_no_keys(asked: str) -> None:
    """Refuse to go on where the configuration of the DVC repository around the working directory holds a key.

    Args:
        asked: what is about to be done, in an error's words.

    Raises:
        ConfigError: with the names of the entries, never their values.
    """
    here = Path.cwd()
    file = next((at / CONFIG for at in (here, *here.parents) if (at / CONFIG).is_file()), None)
    found = secrets_in(file.read_text(encoding="utf-8", errors="replace")) if file is not None else []
    if found:
        raise ConfigError(
            asked=asked,
            happened=f"{CONFIG}, which git keeps, holds {', '.join(found)}",
            affected="nothing was sent or fetched; where the file was committed, the key is in git's history: have it replaced",
            fix=f"dvc remote modify --unset NAME {found[0]}, then dvc remote modify --local NAME {found[0]} … (git leaves that "
            "file out), or the environment (AWS_ACCESS_KEY_ID …); then again",
        )
