"""A PyTorch network that computes as its INT8 file will: what products read and their weights are rounded to 8 bits.

Gradients pass the rounding as if it were not there, and stop where an activation is clipped.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.utils import parametrize
from transformers.pytorch_utils import Conv1D

LOWEST, LARGEST = -128, 127  # of activations; weights use ±127
# axis of the output channels of a module's weight. Scaling an output channel scales its INT8 weights' scale and nothing
# else: a normalisation behind a convolution may be folded into it afterwards.
_CHANNEL_AXES = {torch.nn.Linear: 0, torch.nn.Conv1d: 0, torch.nn.Conv2d: 0, torch.nn.Conv3d: 0, Conv1D: 1}


def _channel_axis(module: torch.nn.Module) -> int | None:
    return next((axis for kind, axis in _CHANNEL_AXES.items() if isinstance(module, kind)), None)


def weights(network: Any) -> dict[str, Any]:
    """Weight of each module that can be trained with fake quantisation, by name: float32 arrays."""
    return {
        name: module.weight.detach().cpu().numpy()
        for name, module in network.named_modules()
        if _channel_axis(module) is not None
    }


class _FakeWeight(torch.nn.Module):
    """Rounds a weight to INT8 and back, with a symmetric scale for each output channel that follows the weight."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self._axis = axis

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        largest = weight.detach().abs().amax([at for at in range(weight.ndim) if at != self._axis])
        scales = torch.where(largest > 0, largest / LARGEST, torch.ones_like(largest))
        zeros = torch.zeros_like(scales, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, scales, zeros, self._axis, -LARGEST, LARGEST)


def _rounded(scale: float) -> Callable[[Any, tuple[Any, ...]], tuple[Any, ...]]:
    def hook(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return torch.fake_quantize_per_tensor_affine(inputs[0], scale, 0, LOWEST, LARGEST), *inputs[1:]

    return hook


@contextmanager
def fake_quantized(network: Any, scales: Mapping[str, float]) -> Iterator[None]:
    """Within the block, these modules read and multiply what INT8 leaves of it; behind it they hold float weights again.

    Args:
        network: changed in place.
        scales: of what each module reads, by the module's name; the zero point is 0.
    """
    modules = {name: network.get_submodule(name) for name in scales}
    hooks = []
    for name, module in modules.items():
        axis = _channel_axis(module)
        assert axis is not None
        parametrize.register_parametrization(module, "weight", _FakeWeight(axis))
        hooks.append(module.register_forward_pre_hook(_rounded(scales[name])))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for module in modules.values():
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
