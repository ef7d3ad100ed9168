"""Whether a file lies in the folder that it is said to lie in: `..`, an absolute path or a link may lead to somebody else's."""

import stat
from pathlib import Path


def why_not_inside(path: Path, folder: Path) -> str | None:
    """Why a path is no ordinary file of a folder, in words that begin with the path; None where it is one.

    Args:
        path: of the file, below the folder.
        folder: may itself be a link.
    """
    try:
        real = path.resolve()
        if not real.is_relative_to(folder.resolve()):
            return f"{path} leads out of {folder}, to {real}"
        mode = real.stat().st_mode
    except FileNotFoundError:
        return f"{path} is not there"
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a name that is too long, a NUL in it
        return f"{path} cannot be read ({type(error).__name__}: {getattr(error, 'strerror', None) or error})"
    if stat.S_ISDIR(mode):
        return f"{path} is a folder"
    return None if stat.S_ISREG(mode) else f"{path} is no ordinary file: a pipe, a socket or a device"


def why_not_below(path: str, folder: str) -> str | None:
    """Why a written path, relative to a study's folder, does not name something below one of its folders; None where it does."""
    parts = Path(path).parts
    if not parts or Path(path).is_absolute() or ".." in parts or "\0" in path:
        return f"{path!r} is no path below {folder}/"
    top = Path(folder).parts
    return None if parts[: len(top)] == top and len(parts) > len(top) else f"{path!r} does not lie below {folder}/"
