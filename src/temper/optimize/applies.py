"""Which graph steps apply to a graph: each is tried on the exported file, one on top of the other.

A step says itself what it needs: it refuses a graph in which there is nothing for it, or whose answers it would change.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper.artifacts.onnx_file import load
from temper.artifacts.signature import read_signature
from temper.environment import plugins
from temper.errors import PipelineError
from temper.lengths.packing import ATTENTION_MASK
from temper.optimize.steps import GRAPH_STEPS, PACKING


def applies(request: Mapping[str, Any]) -> dict[str, Any]:
    """Steps that apply, in order, why the others do not, and whether the inputs say what is padding.

    Args:
        request: `folder` of the exported ONNX artifact, `row_tokens` of packed rows or None.
    """
    folder, applied, refused = Path(request["folder"]), list[str](), dict[str, str]()
    model = load(folder)
    for step in GRAPH_STEPS:
        module = plugins.load("steps", step)
        try:  # on a copy: a step that refuses may have begun to change it
            options = {"max_logit_difference": 0.01} if step == "gelu_tanh" else {}
            copy = type(model)()
            copy.CopyFrom(model)
            model = module.convert(copy, None, module.Options.model_validate(options))
            applied.append(step)
        except PipelineError as error:
            refused[step] = error.happened
        except Exception as error:  # the libraries behind the steps raise many types
            refused[step] = f"{type(error).__name__}: {str(error).strip()[:200]}"
    if request["row_tokens"] is not None:
        module = plugins.load("steps", PACKING)
        try:
            options = module.Options(row_tokens=request["row_tokens"])
            module.signature_after(read_signature(folder / "signature.json"), options)
            module.convert(load(folder), None, options)
            applied.append(PACKING)
        except PipelineError as error:
            refused[PACKING] = error.happened
        except Exception as error:
            refused[PACKING] = f"{type(error).__name__}: {str(error).strip()[:200]}"
    names = {spec.name for spec in read_signature(folder / "signature.json").inputs}
    return {"applied": applied, "refused": refused, "masked": ATTENTION_MASK in names}
