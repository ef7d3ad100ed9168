"""PyTorch, eager, straight from the checkpoint: the reference that everything else is held against."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, PositiveInt

from temper.artifact import read_manifest
from temper.backends.runner import Logits, Runner
from temper.errors import PrecisionNotActive, Unavailable
from temper.evidence.trace import ExecutedLayer, Execution, precision_name
from temper.library import Library, import_library
from temper.signature import Signature, Tensors

LIBRARY = Library("torch", ("torch",), "PyTorch")
ACCEPTS = ("checkpoint",)
PREDICTS = True


class Options(BaseModel):
    """`options` of a row whose runner is pytorch."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    device: Literal["cpu", "cuda"]
    dtype: Literal["float32", "float16", "bfloat16"]
    threads: PositiveInt  # intra-op threads on the CPU


class PyTorchRunner:
    """One model in evaluation mode."""

    def __init__(self, artifact: str, options: Options, version: str) -> None:
        self._folder, self._options, self._version = Path(artifact), options, version

    def __enter__(self) -> Self:
        read_manifest(self._folder / "checkpoint.json", kind="checkpoint")
        self._torch = import_library(LIBRARY, self._version)
        from temper.training.model import load_checkpoint

        if self._options.device == "cuda" and not self._torch.cuda.is_available():
            raise Unavailable(f"PyTorch {self._torch.__version__} sees no CUDA device")
        self._torch.set_num_threads(self._options.threads)
        signature = Signature.model_validate_json((self._folder / "signature.json").read_text(encoding="utf-8"))
        self._dtype = getattr(self._torch, self._options.dtype)
        self._model = load_checkpoint(self._folder, signature.task).to(self._options.device, self._dtype).eval()
        dtypes = {str(p.dtype) for p in self._model.parameters()}
        if dtypes != {f"torch.{self._options.dtype}"}:
            raise PrecisionNotActive(
                asked=f"run {self._folder} in {self._options.dtype}",
                happened=f"the loaded parameters are {sorted(dtypes)}",
                spoiled="this record only",
                fix="declare the dtype that runs in the backend's row",
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        del self._model

    def infer(self, inputs: Tensors) -> Logits:
        torch, device = self._torch, self._options.device
        with torch.inference_mode():
            tensors = {name: torch.from_numpy(array).to(device) for name, array in inputs.items()}
            floating = {n: t.to(self._dtype) if t.is_floating_point() else t for n, t in tensors.items()}
            # .cpu() waits for the device, so the logits are complete when it returns
            logits: Logits = self._model(**floating).logits.float().cpu().numpy()
            return logits

    def describe(self) -> dict[str, Any]:
        parameter = next(self._model.parameters())
        device = str(parameter.device)
        return {
            "library": "torch",
            "version": self._torch.__version__,
            "device": device if device == "cpu" else self._torch.cuda.get_device_name(parameter.device),
            "dtype": str(parameter.dtype).removeprefix("torch."),
            "threads": self._torch.get_num_threads(),
        }

    def limits(self) -> Mapping[str, tuple[int, int]]:
        return {}

    def record_layers(self) -> dict[str, ExecutedLayer]:
        """Hook every innermost module that owns parameters.

        Returns:
            The layers that have been called since, by the module's name, in the order of their first call.
        """
        called: dict[str, ExecutedLayer] = {}

        def recorder(name: str) -> Callable[[Any, Any], None]:
            def record(module: Any, inputs: Any) -> None:
                parameter = next(module.parameters())
                called[name] = ExecutedLayer(
                    name=name,
                    type=type(module).__name__,
                    precision=precision_name(str(parameter.dtype).removeprefix("torch.")),
                    device=str(parameter.device),
                    time_ms=None,
                )

            return record

        for name, module in self._model.named_modules():
            if not any(module.children()) and any(True for _ in module.parameters()):
                module.register_forward_pre_hook(recorder(name))
        return called


def open_runner(artifact: str, options: Mapping[str, Any], version: str) -> Runner:
    """A runner of the checkpoint in the folder `artifact`."""
    return PyTorchRunner(artifact, Options.model_validate(options), version)


def trace(artifact: str, options: Mapping[str, Any], version: str, batches: Sequence[Tensors]) -> Execution | None:
    """Modules that were called, with the dtype and device of their parameters; without times.

    Args:
        artifact: folder of the checkpoint.
        options: of the backend's row.
        version: of PyTorch, or 'installed'.
        batches: arrays of the signature by name; every batch is run once.

    Raises:
        Unavailable: this machine lacks the device.
        PrecisionNotActive: the parameters have another dtype than asked.
    """
    with PyTorchRunner(artifact, Options.model_validate(options), version) as runner:
        layers = runner.record_layers()
        for batch in batches:
            runner.infer(batch)
        return Execution(
            source="PyTorch's modules that own parameters and were called; functions such as attention's own products "
            "are none, and have no times",
            layers=tuple(layers.values()),
        )
