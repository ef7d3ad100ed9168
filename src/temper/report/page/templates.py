"""The page's templates, style sheet and script: files beside the code, which its digest does not see."""

import hashlib
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"


def templates_digest() -> str:
    """Sixteen hexadecimal digits over the names and bytes of these files: a param of the report's rule."""
    whole = hashlib.sha256()
    for file in sorted(TEMPLATES.iterdir()):
        whole.update(f"{file.name}\0".encode() + file.read_bytes())
    return whole.hexdigest()[:16]
