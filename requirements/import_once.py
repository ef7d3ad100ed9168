"""Import modules, so that Python compiles them: `import_once.py MODULE …`. What is absent or fails is told and left out."""

import importlib
import sys

for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{name} is not compiled: {type(error).__name__}: {error}")
