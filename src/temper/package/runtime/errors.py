"""Errors that a user can cause: what was asked, what happened, what is affected, how to fix it."""


class PackageError(Exception):
    """The package, or what it was asked, is not as it has to be."""

    def __init__(self, *, asked: str, happened: str, affected: str, fix: str) -> None:
        self.asked, self.happened, self.affected, self.fix = asked, happened, affected, fix
        super().__init__(f"\n  asked:    {asked}\n  happened: {happened}\n  affected: {affected}\n  fix:      {fix}")


class InputError(PackageError):
    """What was to be answered is not what this model takes; the package itself is well."""
