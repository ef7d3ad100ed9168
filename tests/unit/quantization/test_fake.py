import numpy as np
import pytest
import torch
from transformers.pytorch_utils import Conv1D

from temper.quantization.fake import fake_quantized, weights

SCALE = 0.02


def network(kind):
    torch.manual_seed(3)
    layer = {
        "linear": lambda: torch.nn.Linear(4, 5),
        "conv1d": lambda: Conv1D(5, 4),
        "convolution": lambda: torch.nn.Conv2d(4, 5, 1),
    }[kind]()
    torch.nn.init.normal_(layer.weight)
    return torch.nn.Sequential(layer)


def rows(kind):
    values = torch.randn(7, 4, generator=torch.Generator().manual_seed(1))
    return values[:, :, None, None] if kind == "convolution" else values


@pytest.mark.parametrize("kind", ["linear", "conv1d", "convolution"])
def test_it_computes_what_int8_leaves(kind):
    """Against NumPy: rounded activations times weights rounded with a scale for each output channel."""
    net = network(kind)
    weight = weights(net)["0"].astype(np.float64)
    weight = weight if kind == "conv1d" else weight.reshape(5, 4).T
    scales = np.abs(weight).max(axis=0) / 127
    values = rows(kind).reshape(7, 4).numpy().astype(np.float64)
    rounded = np.clip(np.rint(values / SCALE), -128, 127) * SCALE
    expected = rounded @ (np.rint(weight / scales) * scales) + net[0].bias.detach().numpy()
    with fake_quantized(net, {"0": SCALE}), torch.inference_mode():
        found = net(rows(kind)).reshape(7, 5).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found - net(rows(kind)).detach().reshape(7, 5).numpy()).max() > 1e-3


@pytest.mark.parametrize("kind", ["linear", "conv1d", "convolution"])
def test_behind_the_block_the_network_is_as_it_was(kind):
    net, before = network(kind), network(kind).state_dict()
    with fake_quantized(net, {"0": SCALE}):
        assert set(net.state_dict()) != set(before)
    assert set(net.state_dict()) == set(before)
    assert all(torch.equal(net.state_dict()[name], values) for name, values in before.items())
    assert torch.equal(net(rows(kind)), network(kind)(rows(kind)))
    assert type(net[0]) is type(network(kind)[0])


def test_gradients_pass_the_rounding_and_stop_at_what_is_clipped():
    net = network("linear")
    values = torch.tensor([[0.5, 1.0, 127 * SCALE + 1, -128 * SCALE - 1]], requires_grad=True)
    with fake_quantized(net, {"0": SCALE}):
        net(values).sum().backward()
        assert net[0].parametrizations.weight.original.grad.abs().min() > 0
    assert values.grad[0, :2].abs().min() > 0
    assert values.grad[0, 2:].tolist() == [0.0, 0.0]


def test_a_channel_of_zeros_stays_one():
    net = network("linear")
    with torch.no_grad():
        net[0].weight[2] = 0
    with fake_quantized(net, {"0": SCALE}):
        assert not net[0].weight[2].any()
        net(rows("linear")).sum().backward()
        assert net[0].parametrizations.weight.original.grad[2].abs().min() > 0  # it may become another one


def test_modules_without_a_product_have_no_weight_here():
    net = torch.nn.Sequential(
        torch.nn.Embedding(3, 4), torch.nn.LayerNorm(4), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2)
    )
    assert {name: values.shape for name, values in weights(net).items()} == {"3": (2, 4)}
