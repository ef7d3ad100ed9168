"""Answers of one packaged model: texts or images in, labels with confidences out.

    from package_runtime import load

    with load() as model:
        print(model.answer(["a charming film"]))

The folder that holds this one has the model, its preprocessing and manifest.json, which says how it was measured and what
it may be trusted with. Nothing here needs more than NumPy, the tokenizer or image library and the runtime that the model
was measured on, at the versions of requirements.txt. `load` is `package_runtime.model.load`.
"""

from typing import Any

__all__ = ["load"]
CHANGES_NO_RESULT = "it opens a package for who asks in Python"


def __getattr__(name: str) -> Any:
    if name == "load":  # not above: importing a part, such as the packing of rows, needs no model
        from .model import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
