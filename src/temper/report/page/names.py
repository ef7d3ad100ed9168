"""Anchors of the page: what a name from params.yaml is called in an address inside it."""

import re


def anchor(kind: str, name: str) -> str:
    """Such as 'candidate-ort-fp32': letters, digits and hyphens, different for different names.

    Any other sign becomes its number between dots.
    """
    safe = re.sub(r"[^A-Za-z0-9-]", lambda found: f".{ord(found.group()):x}.", name)
    return f"{kind}-{safe}"
