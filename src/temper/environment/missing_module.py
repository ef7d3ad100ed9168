"""A Python module that is not installed, said in four parts."""

from temper.errors import LibraryError

CHANGES_NO_RESULT = "it words an error"
_OWN = ("temper", "workflow")  # that one of these is missing is a fault of Temper's


def missing_module(error: BaseException, asked: str, affected: str) -> LibraryError | None:
    """The four-part form of an import that found no such module; None for any other error, and for a module of Temper's own.

    Args:
        error: what was raised.
        asked: what the person wanted.
        affected: what did not come about.
    """
    if not isinstance(error, ModuleNotFoundError) or error.name is None or error.name.split(".")[0] in _OWN:
        return None
    return LibraryError(
        asked=asked,
        happened=f"it needs the Python module {error.name}, which is not installed in this environment",
        affected=affected,
        fix="make setup (or pip install -r requirements/cpu.txt, on a GPU gpu.txt); then the same command again",
    )
