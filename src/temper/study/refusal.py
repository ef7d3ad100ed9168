"""What is said of a params.yaml that cannot be planned."""

from temper.errors import ConfigError

CHANGES_NO_RESULT = "it refuses a study before any job is started"


def params_error(happened: str, fix: str) -> ConfigError:
    """A finding in params.yaml while planning."""
    return ConfigError(
        asked="read params.yaml and plan the study", happened=happened, affected="nothing: no job was started", fix=fix
    )
