"""What keys of params.yaml mean: the string that stands below a field of the closed schema.

A string that stands alone is no part of the digest of the code (temper/environment/source_digest.py): another word for a
key makes nothing anew. A `description` of pydantic's would.
"""

import ast
import inspect
import textwrap
from itertools import pairwise

from pydantic import BaseModel


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Meanings of a model's keys, in its order; of those that say one."""
    (made,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(made, ast.ClassDef)
    found = {}
    for field, said in pairwise(made.body):
        if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant):
            found[ast.unparse(field.target)] = " ".join(str(said.value.value).split())
    return found
