"""PyTorch's own modules as they are, or without padding, from the checkpoint in model/: config.json and model.safetensors."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import PackageError
from .packing import Tensors
from .signature import TEXT, Signature
from .unpadded import MODES, Unpadded


class PyTorchRunner:
    """One model in evaluation mode."""

    def __init__(self, folder: Path, facts: Mapping[str, Any], signature: Signature) -> None:
        """Load it.

        Args:
            folder: with config.json and model.safetensors.
            facts: of the manifest's runner: options of the backend's row.
            signature: what it takes.

        Raises:
            PackageError: it cannot be loaded, or this machine lacks its device or what it compiles with.
        """
        import torch
        import transformers

        self._torch, self._options = torch, facts["options"]
        self._names = [spec.name for spec in signature.inputs]
        self.version: str = torch.__version__.partition("+")[0]
        asked = f"run {folder} with PyTorch {torch.__version__} on {self._options['device']}"
        fix = "pip install -r requirements.txt, on a machine of the kind that manifest.json names under study"
        if self._options["device"] == "cuda" and not torch.cuda.is_available():
            happened = "PyTorch sees no CUDA device"
            raise PackageError(asked=asked, happened=happened, affected="this package", fix=fix)
        unpadded = self._options["mode"] in MODES
        compilers = (os.environ.get("CC", ""), "cc", "gcc", "clang")
        if unpadded and self._options["device"] == "cuda" and not any(map(shutil.which, compilers)):
            happened = "without padding it is compiled on a GPU, and no C compiler is on the path"
            raise PackageError(asked=asked, happened=happened, affected="this package", fix="install gcc or clang")
        self._settle()
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        of_task = "SequenceClassification" if signature.task == TEXT else "ImageClassification"
        try:
            loaded = getattr(transformers, f"AutoModelFor{of_task}").from_pretrained(folder, local_files_only=True)
            dtype = getattr(torch, self._options["dtype"])
            self._model = loaded.to(self._options["device"], dtype).eval()
        except (OSError, ValueError, RuntimeError) as error:
            happened = f"{type(error).__name__}: {str(error).strip()[:300]}"
            raise PackageError(asked=asked, happened=happened, affected="this package", fix=fix) from None
        self._dtype = dtype
        self._unpadded = None
        if unpadded:
            device = str(next(self._model.parameters()).device)
            self._unpadded = Unpadded(self._model, self._names, self._options["mode"], device)

    def _settle(self) -> None:
        """What PyTorch keeps for the whole process, or for each thread."""
        torch, options = self._torch, self._options
        if torch.get_num_threads() != options["threads"]:
            torch.set_num_threads(options["threads"])
        precision = "high" if options["tf32"] else "highest"
        if torch.get_float32_matmul_precision() != precision:
            torch.set_float32_matmul_precision(precision)
        if options["device"] == "cuda" and torch.backends.cudnn.allow_tf32 != options["tf32"]:
            torch.backends.cudnn.allow_tf32 = options["tf32"]

    def infer(self, inputs: Tensors) -> npt.NDArray[np.float32]:
        """float32 logits [rows, labels] of arrays by input name."""
        torch = self._torch
        self._settle()
        with torch.inference_mode():
            if self._unpadded is not None:
                return self._unpadded.infer(inputs)
            given = {
                name: torch.from_numpy(np.asarray(inputs[name])).to(self._options["device"]) for name in self._names
            }
            # pixels have the parameters' dtype; tokens stay integers
            given = {name: own.to(self._dtype) if own.is_floating_point() else own for name, own in given.items()}
            logits: npt.NDArray[np.float32] = self._model(**given).logits.float().cpu().numpy()
            return logits

    def close(self) -> None:
        """Free it."""
        del self._model, self._unpadded
